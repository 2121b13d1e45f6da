# The bulk way in: standard input of one run that is being fed, raw, where the runner's calls carry it as printf's text. Pieces come as a
# line `OFFSET LENGTH` and so many bytes, and go the way of the runner's `feed`: taken only right behind the last one, whoever sent
# that, and told to the feeder when they are whole. What is not taken here is sent again. Arguments: ID SESSION DIR...
q_id=$1 q_by=$2 q_j=''
shift 2
LC_ALL=C
export LC_ALL
# Diagnostics go nowhere, but standard error stays open: once it is closed, kubelet and containerd close our input.
exec 7>&2 2>/dev/null
for q_d; do
  [ "$q_j" ] || [ ! -d "$q_d/.podq1/f" ] || q_j=$q_d/.podq1
done
mark() { echo $((1000000000000000 + $2)) $((1000000000000000 + $2)) 1<>"$1"; }
marked() {
  read -r q_1 q_2 <"$1" && [ "$q_1" = "$q_2" ] || return 1
  q_n=$((q_1 - 1000000000000000))
}
# A dd that takes what a pipe has at the moment for a block would lose its place.
[ "$q_j" ] && dd if=/dev/null of=/dev/null iflag=fullblock bs=1 count=0 || exit 9
# What began while a command ran is the command's, unless its session is known to be ours.
read -r q_x <"/proc/$$/stat"
set -- ${q_x##*) }
q_own=$q_j/f/$q_by.b$$.s
echo "$4" >"$q_own"
trap 'rm -f "$q_own"' EXIT
# After a crash of the container runtime there is no EOF: then the end of the run is the end.
echo $$ >"$q_j/$q_id.b"
echo ready
while read -r q_at q_len; do
  q_piece=$q_j/$q_id.$q_by.$q_at.in
  q_x=$(dd of="$q_piece" bs="$q_len" count=1 iflag=fullblock 2>&1)
  q_rc=$?
  case $q_x in *'1+0 records in'*) ;; *) q_rc=cut ;; esac
  if [ $q_rc = 0 ] && [ -p "$q_j/$q_id.f" ] && marked "$q_j/$q_id.h" && [ $q_n = "$q_at" ]; then
    echo "$q_at $q_len $q_by" 1<>"$q_j/$q_id.f"
    mark "$q_j/$q_id.h" $((q_at + q_len))
  else
    rm -f "$q_piece"
    [ $q_rc != cut ] || exit 1
  fi
done
