# read FOLDER NAME FILE...: the content of small regular files of a tree, one behind the other. To standard error: the identity of
# each before and after, and the checksum of what was written.
need sha256sum
need stat
decode "$1"
enter "$d" '' && decode "$2" && enter "$d" '' || fail not-found "there is no such folder"
shift 2
n=$#
while [ $n -gt 0 ]; do
  a=$1
  shift
  case $a in *\\*) decode "$a" ;; *) d=$a ;; esac
  set -- "$@" "./$d"
  n=$((n - 1))
done
look() { stat -c '%d:%i:%s:%Y:%Z' -- "$@" || fail conflict "a file went away while the tree was read"; }
look "$@" >&2
cat -- "$@" | sha256sum >&2 &
cat -- "$@" || fail path-refused "a file of the tree may not be read"
wait
look "$@" >&2
echo done >&2
