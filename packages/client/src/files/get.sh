# get FOLDER NAME BLOCK COUNT SEEN: COUNT MiB of a file from the MiB BLOCK on. To standard error: what the file is (`file ID SIZE MODE`),
# and the checksum of what was written. SEEN: the ID that it must have, or -.
need sha256sum
need stat
need dd
decode "$1"
enter "$d" '' || fail not-found "there is no such folder"
decode "$2"
n=$d links=0
# A link is followed as long as it stays inside.
while [ -L "./$n" ]; do
  links=$((links + 1))
  [ $links -lt 40 ] || fail path-refused "too many links"
  need readlink
  l=$(readlink -n "./$n" && echo .) || fail path-refused "a link cannot be read"
  l=${l%.}
  case $l in /*) cd / ;; esac
  case $l in
  */*)
    cd -P "./${l%/*}" || fail not-found "a link leads nowhere"
    n=${l##*/}
    ;;
  *) n=$l ;;
  esac
  case $n in '' | . | ..) fail path-refused "it is a folder" ;; esac
  inside
done
[ -e "./$n" ] || fail not-found "there is no such file"
[ ! -d "./$n" ] || fail path-refused "it is a folder"
[ -f "./$n" ] || fail path-refused "it is no regular file"
look() { stat -c '%d:%i:%s:%Y:%Z %s %f' "./$n"; }
is=$(look) || fail not-found "it went away"
[ "$5" = - ] || [ "${is%% *}" = "$5" ] || fail conflict "the file changed while it was read"
echo "file $is" >&2
part() { dd if="./$n" bs=1048576 skip="$1" count="$2" 2>/dev/null; }
part "$3" "$4" | sha256sum >&2 &
part "$3" "$4" || fail path-refused "it may not be read"
wait
[ "$(look)" = "$is" ] || fail conflict "the file changed while it was read"
echo done >&2
