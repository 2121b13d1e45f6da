# remove FOLDER NAME DEPTH: DEPTH 1: a file, a link or an empty folder; all: with all that is in it. Prints whether there was any.
decode "$1"
enter "$d" '' || { echo absent && exit; }
decode "$2"
n=./$d
[ "$n" != ./ ] || fail path-refused "it is the workspace itself"
[ -e "$n" ] || [ -L "$n" ] || { echo absent && exit; }
if [ "$3" = all ]; then
  e=$(rm -rf "$n" 2>&1) || blame "$e"
elif [ -d "$n" ] && [ ! -L "$n" ]; then
  e=$(rmdir "$n" 2>&1) || blame "$e"
else
  e=$(rm -f "$n" 2>&1) || blame "$e"
fi
echo removed
