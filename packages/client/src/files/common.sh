# What every one of the files' programs begins with. They run in a pod's own sh (ash, dash, bash), so POSIX only, and what they
# need beyond it is asked for by name. Errors go to standard error as one line, `podq:CODE:TEXT`.
#
# A path comes as its folder and its name, both as printf %b text, since arguments are UTF-8 and names are any bytes. Each component
# is entered one by one with `cd -P`, and where that led is looked at: so no link leads out of the workspace, and from then on the
# folder is this process's own, whatever is put in its place meanwhile.
LC_ALL=C
export LC_ALL
unset CDPATH
fail() {
  printf 'podq:%s:%s\n' "$1" "$2" >&2
  exit 97
}
need() { command -v "$1" >/dev/null 2>&1 || fail command-not-found "there is no $1 in the pod's image"; }
# Command substitution takes newlines off the end, so a dot stands behind.
decode() {
  d=$(printf '%b.' "$1")
  d=${d%.}
}
# What a tool said, as the code of its reason.
blame() {
  case $1 in
  *'No space left'* | *'uota exceeded'*) fail volume-full "$1" ;;
  *'Read-only file system'*) fail volume-read-only "$1" ;;
  *) fail path-refused "$1" ;;
  esac
}
inside() {
  case $PWD in
  "$root" | "$root"/*) ;;
  *) fail path-refused "a link on the way leads out of /workspace" ;;
  esac
}
cd -P /workspace || fail not-found "the pod has no /workspace"
root=$PWD
# Enters the folder $1, from here; makes what is missing of it if $2 is not empty. Returns 1 if there is none.
enter() {
  make=$2
  IFS=/
  set -f
  set -- $1
  set +f
  unset IFS
  for c; do
    case $c in '' | .) continue ;; esac
    if [ "$make" ] && [ ! -d "./$c" ]; then
      e=$( { mkdir "./$c"; } 2>&1) || [ -d "./$c" ] || blame "$e"
    fi
    [ -d "./$c" ] || return 1
    cd -P "./$c" || fail path-refused "a folder on the way may not be entered"
    inside
  done
}
