# put FOLDER NAME TOKEN MODE KIND: takes standard input into a temporary file beside the target, whose last 65 bytes are the SHA-256
# of what is before them, and gives it its name when both agree. KIND file: it is the file. KIND tree: it is a tar, which is
# unpacked beside the target first. Prints the checksum and the number of bytes.
need sha256sum
need stat
[ "$5" = file ] || need tar
decode "$1"
enter "$d" 1 || fail path-refused "something on the way is no folder"
decode "$2"
n=./$d t=./.podq-put-$3 mode=$4 kind=$5
here=$PWD
trap 'cd "$here" && rm -rf "$t" "$t.d"' EXIT
trap 'exit 143' TERM INT HUP
# What an earlier one left when its pod or its shell was killed: no transfer lives as long.
find . ! -name . -prune -name '.podq-put-*' -mmin +1500 -exec rm -rf {} + 2>/dev/null
[ "$kind" = tree ] || [ -L "$n" ] || [ ! -d "$n" ] || fail path-refused "there is a folder of that name"

umask 077
e=$( { cat >"$t"; } 2>&1) || blame "$e"
size=$(($(stat -c %s "$t") - 65))
[ $size -ge 0 ] || fail conflict "the data came without its checksum"
want=$(tail -c 65 "$t")
e=$(dd if=/dev/null of="$t" bs=1 seek=$size count=0 2>&1) || blame "$e"
got=$(sha256sum <"$t")
got=${got%% *}
[ "$got" = "$want" ] && [ "$(stat -c %s "$t")" = $size ] || fail conflict "the data did not arrive as it was sent"

durable() { dd if=/dev/null of="$1" bs=1 count=0 conv=notrunc,fsync 2>/dev/null; }
if [ "$kind" = file ]; then
  chmod "$mode" "$t"
  durable "$t"
  if ! mv -fT "$t" "$n" 2>/dev/null; then
    # A mv without -T goes through a link to a folder, and into a folder.
    [ ! -L "$n" ] || [ ! -d "$n" ] || rm -f "$n"
    [ ! -d "$n" ] || fail path-refused "there is a folder of that name"
    e=$(mv -f "$t" "$n" 2>&1) || blame "$e"
  fi
else
  umask 022
  e=$(mkdir "$t.d" 2>&1) || blame "$e"
  e=$(tar -xof "$t" -C "$t.d" 2>&1) || blame "$e"
  rm -f "$t"
  if [ -e "$n" ] || [ -L "$n" ] || ! mv -T "$t.d" "$n" 2>/dev/null; then
    # Into the folder that is there, file by file; each is whole under its name.
    enter "$d" 1 || fail path-refused "there is something else than a folder of that name"
    to=$PWD
    cd "$here/$t.d" || exit 97
    e=$(find . ! -name . -type d -exec sh -c 'for f; do
      [ ! -L "$0/$f" ] || { echo "a link is where a folder should be"; exit 1; }
      [ -d "$0/$f" ] || mkdir "$0/$f" || exit 1
    done' "$to" {} + 2>&1) && [ ! "$e" ] || blame "$e"
    e=$(find . ! -type d -exec sh -c 'for f; do
      [ -L "$0/$f" ] && [ -d "$0/$f" ] && rm -f "$0/$f"
      [ ! -d "$0/$f" ] || { echo "a folder is where a file should be"; exit 1; }
      mv -f "$f" "$0/$f" || exit 1
    done' "$to" {} + 2>&1) && [ ! "$e" ] || blame "$e"
  fi
fi
echo "$got $size"
