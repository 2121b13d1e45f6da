# list FOLDER NAME DEPTH: what is in a folder, DEPTH 1 or all; or the one thing that it names. In batches, each the number of names, the
# names, a line for each (mode in hex, size, modified, identity; - if it went away), and the targets of links by their place.
need stat
need find
decode "$1"
enter "$d" '' || fail not-found "there is no such folder"
decode "$2"
n=./$d
each='
  printf "%s\n" $#
  printf "%s\0" "$@"
  s=$(stat -c "%f %s %Y %d:%i:%s:%Y:%Z" -- "$@" 2>/dev/null) ||
    s=$(for f; do stat -c "%f %s %Y %d:%i:%s:%Y:%Z" -- "$f" 2>/dev/null || echo -; done)
  printf "%s\n" "$s"
  i=0
  for f; do
    [ ! -L "$f" ] || printf "%s %s\0" $i "$(readlink -n "$f"; echo .)"
    i=$((i + 1))
  done
  printf "\0"
'
if [ "$n" != ./ ] && { [ -L "$n" ] || [ ! -d "$n" ]; }; then
  [ -e "$n" ] || [ -L "$n" ] || fail not-found "there is no such file"
  if [ ! -d "$n" ]; then
    sh -c "$each" sh "$n"
    exit
  fi
fi
enter "$n" '' || fail not-found "there is no such folder"
echo folder >&2
if [ "$3" = 1 ]; then
  find . ! -name . -prune ! -name '.podq-put-*' -exec sh -c "$each" sh {} +
else
  find . -name '.podq-put-*' -prune -o ! -name . -exec sh -c "$each" sh {} +
fi
