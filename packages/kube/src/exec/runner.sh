# The runner: lives in a pod behind `sh`, reads calls from its own standard input, starts commands, keeps their journal.
#
#   client --calls--> [ main shell ] --fork--> [ handler, one per run ] --fork--> command
#          <-frames--       |                      |  stdout >- fifo -> dd >> ID.o      (pump)
#                           +--fork--> [ watchdog ]+- stderr >- fifo -> dd >> ID.e      (pump)
#
# Calls are read by the shell's own parser, one `{ name 'arg' ...; }` a line. The brace is what makes a line that was cut in
# the middle a syntax error: a bare `run a b` that ends at EOF after a whole word would be executed with the words that came.
# Frames are one line of text on standard output, some followed by as many raw bytes as the line says.
#
# The journal ($q_j): ID.c holds one record a line, each a single write:
#   c BOOT TOKEN DEADLINE GRACE CAP SLOT MS   claimed (the file is made with O_EXCL, before any fork); t WHY: never to be started
#   h PID          its handler         p PID OUT ERR MS   leader of the command, and the two pumps
#   e WHY          not started         x RC LEFT[?] MS    the command ended; LEFT processes of it live on, or ? more
#   z OUT ERR OUTALL ERRALL OUTTAIL ERRTAIL SURE          both streams closed: bytes kept, true totals, kept tails
# ID.sN: what became of signal N; written before it is sent, so that it is sent once.
# ID.o ID.e: output; ID.o.t: last bytes of one that outgrew its cap; ID.k: why we killed it; ID.SESSION.in: standard input.
# Input that is still being written (INPUT live) comes as pieces, ID.SESSION.OFFSET.in. Their records go through ID.f, a FIFO, to the
# feeder, which copies them into ID.q, the command's standard input. ID.h: bytes taken in so far; ID.i: bytes fed so far.
# r/SLOT names what runs (emptied when the command ends), f/SLOT what still holds a slot's FIFOs (emptied when they closed).
#
# Rules that look like style and are not:
# * All variables begin with q_. A name that the image's environment exports stays exported when a shell assigns to it, and
#   the command would see our value.
# * A command's stdout must be a pipe. `echo x >/dev/stderr` reopens it with O_TRUNC, which would wipe a file.
# * Redirections of background work stand inside the function, as `exec`. On the call they would leave the old descriptors
#   open in some shells, and whatever holds standard output or error open keeps kubectl alive.
# * `:` and `exec` are special builtins: if their redirection fails the shell ends. So files are emptied by printf, and the
#   claim is an `if echo`.
# * `kill -TERM -PGID` without `--`: ash and dash refuse that. `kill -0` is true for zombies: /proc is asked instead.

# Milliseconds and seconds since the machine booted; needs no fork, and the same for every process of the pod.
clock() {
  read -r q_up q_x </proc/uptime
  q_sec=${q_up%.*}
  q_ms=$q_sec${q_up#*.}0
}

# The lock around frames is a FIFO that holds one newline: reading takes it, echo gives it back.
take() { read -r q_x <&3; }
give() { echo >&3; }
say() {
  take
  echo "$*"
  give
}

record() { echo "$2" >>"$q_j/$1.c"; }
nap() { sleep 0.1 || sleep 1; }

# Create FILE with the line TEXT, only if nobody did before.
create() {
  set -C
  if echo "$2" >"$1"; then
    set +C
  else
    set +C
    return 1
  fi
}

# The number of the process that asks: in a subshell $$ is the main shell's. Leaves the directory.
self() {
  cd -P /proc/self
  q_self=${PWD##*/}
}

# State, group, session and start time of a process, from /proc.
status() {
  q_st=X
  read -r q_x <"/proc/$1/stat" || return 1
  set -- ${q_x##*) }
  q_st=$1 q_pg=$3 q_se=$4
  shift 19
  q_start=$1
}
living() {
  status "$1" || return 1
  case $q_st in Z | X) return 1 ;; esac
}

# What the journal says of a run. A record is there when its line is there, so a handler that is gone is looked for first,
# and the record read again after it: the end may have been written in between.
look() {
  look_once "$1"
  [ "$q_state" = running ] || return 0
  clock
  if [ "$q_boot1" != "$q_boot" ]; then
    q_state=lost:boot
  elif [ "$q_h" ]; then
    # Start times count hundredths of a second. A process that got the dead handler's number started later than the claim.
    living "$q_h" && [ $((q_start * 10)) -lt $((q_claimed + 1000)) ] && return 0
    look_once "$1"
    [ "$q_state" != running ] || q_state=lost:handler
  elif [ $((q_ms - q_t0)) -gt 5000 ]; then
    # The fork failed, or the main shell died between the claim and the fork.
    q_state=lost:unstarted
  fi
}
look_once() {
  q_state=none q_rc=- q_why=- q_left=0 q_t0=0 q_t1=0 q_claimed=0 q_boot1='' q_mark='' q_at='' q_h='' q_lead=''
  q_po='' q_pe='' q_out='' q_err=0 q_oall=0 q_eall=0 q_otail=0 q_etail=0 q_sure='='
  [ -s "$q_j/$1.c" ] || return 0
  while read -r q_k q_1 q_2 q_3 q_4 q_5 q_6 q_7; do
    case $q_k in
    c) q_state=running q_boot1=$q_1 q_mark=$q_2 q_at=$q_6 q_t0=$q_7 q_claimed=$q_7 ;;
    t) q_state=tomb q_why=$q_1 ;;
    h) q_h=$q_1 ;;
    p) q_lead=$q_1 q_po=$q_2 q_pe=$q_3 q_t0=$q_4 ;;
    e) q_state=error:$q_1 ;;
    x) q_state=exited q_rc=$q_1 q_left=$q_2 q_t1=$q_3 ;;
    z) q_state=closed q_out=$q_1 q_err=$q_2 q_oall=$q_3 q_eall=$q_4 q_otail=$q_5 q_etail=$q_6 q_sure=$q_7 ;;
    esac
  done <"$q_j/$1.c"
  [ ! -s "$q_j/$1.k" ] || read -r q_why <"$q_j/$1.k"
}

# Sizes of a run's two outputs; empty ones cost no fork.
sizes() {
  q_out=0 q_err=0
  [ -s "$q_j/$1.o" ] || [ -s "$q_j/$1.e" ] || return 0
  both "$q_j/$1.o" "$q_j/$1.e"
  q_out=$q_a q_err=$q_b
}
both() {
  if [ "$q_ls" ] || ! q_x=$(stat -c %s "$1" "$2"); then
    size "$1"
    q_a=$q_n
    size "$2"
    q_b=$q_n
    return
  fi
  set -- $q_x
  q_a=$1 q_b=$2
}
size() {
  q_n=0
  [ -s "$1" ] || return 0
  set -- $(ls -ln "$1")
  q_n=$5
}

# COUNT bytes of FILE from OFFSET on.
slice() {
  [ "$3" -gt 0 ] || return 0
  if [ "$q_dd" = plain ]; then
    {
      dd bs=1 skip="$2" count=0
      head -c "$3"
    } <"$1"
  else
    dd if="$1" bs=1048576 iflag=skip_bytes,count_bytes skip="$2" count="$3"
  fi
}

# The living processes of a run: q_group (in the leader's group), q_loose (left the group, or the session too). With SINCE also
# q_new: others that began since then, outside of the runner's own sessions. Looks only at the DIRs, if there are any.
tree() { # TOKEN LEADER SINCE|'' [DIR...]
  q_group='' q_loose='' q_new='' q_marks=' ' q_tok=$1 q_top=$2 q_since=$3
  shift 3
  [ $# -gt 0 ] || set -- /proc/[0-9]*
  q_n=''
  for q_d; do q_n="$q_n $q_d/environ"; done
  for q_d in $(grep -l "PODQ_RUN=$q_tok" $q_n); do
    q_d=${q_d#/proc/}
    q_marks="$q_marks${q_d%/environ} "
  done
  for q_d; do
    q_d=${q_d#/proc/}
    living "$q_d" || continue
    if [ "$q_pg" = "$q_top" ]; then
      q_group="$q_group $q_d"
    elif [ "$q_se" = "$q_top" ]; then
      q_loose="$q_loose $q_d"
    else
      case $q_marks in *" $q_d "*) q_loose="$q_loose $q_d" && continue ;; esac
      [ "$q_since" ] && [ $((q_start * 10)) -ge "$q_since" ] || continue
      case $q_ours in *" $q_se "*) ;; *) q_new="$q_new $q_d" ;; esac
    fi
  done
}

# End a run: TERM, GRACE milliseconds, KILL until nothing of it is left, 10 s at most. q_end: over, never, gone, left.
reap() {
  look "$1"
  q_i=0
  while [ "$q_state" = running ] && [ ! "$q_lead" ] && [ $q_i -lt 50 ]; do
    # Claimed and about to start: the handler looks for this mark right before it does.
    [ -s "$q_j/$1.k" ] || echo "$2" >"$q_j/$1.k"
    nap
    look "$1"
    q_i=$((q_i + 1))
  done
  case $q_state in
  exited | closed) [ -s "$q_j/$1.k" ] || { q_end=over; return; } ;;
  none | tomb | error:*) q_end=never; return ;;
  lost:boot | lost:unstarted) q_end=gone; return ;;
  esac
  [ -s "$q_j/$1.k" ] || echo "$2" >"$q_j/$1.k"
  tree "$q_mark" "$q_lead" ''
  if [ "$q_group" ]; then
    kill -TERM "-$q_lead"
  elif [ "$q_state" = running ] && [ "$q_lead" ]; then
    # Between its fork and its exec the leader has no group and no token yet.
    case "$q_loose " in *" $q_lead "*) ;; *) kill -TERM "$q_lead" ;; esac
  fi
  for q_d in $q_loose; do kill -TERM "$q_d"; done
  clock
  q_soft=$((q_ms + $3)) q_hard=$((q_ms + $3 + 10000)) q_nap=0.02
  while :; do
    sleep $q_nap || nap
    q_nap=0.1
    tree "$q_mark" "$q_lead" ''
    [ "$q_group$q_loose" ] || break
    clock
    [ $q_ms -lt $q_soft ] && continue
    for q_d in $q_group $q_loose; do kill -KILL "$q_d"; done
    [ $q_ms -lt $q_hard ] || { q_end=left; return; }
  done
  q_end=gone
  # Its feeder is no part of it, and waits for ever if the handler is gone.
  [ ! -p "$q_j/$1.f" ] || { echo - 1<>"$q_j/$1.f"; rm -f "$q_j/$1.f" "$q_j/$1.q"; }
}

# ---- a run's own processes --------------------------------------------------------------------------------------------

# Fork-safe: a pump keeps no descriptor of ours but its pipe and its file. It ends at EOF, or when the file may not grow
# (cap, full disk): EFBIG instead of a death by SIGXFSZ, which would leave a core file.
# dd and not cat: busybox runs it in the forked shell as it is, without an exec. That is a seventh of a command's time.
pump() {
  if [ "$1" = o ]; then exec <&8; else exec <&9; fi
  exec >>"$q_j/$q_id.$1" 3>&- 4>&- 5>&- 6>&- 7<&- 8<&- 9<&-
  cd /
  trap '' XFSZ
  ulimit -f "$q_cap"
  LC_ALL=C exec dd bs=65536
}

# Reads on past the cap, so that the command is neither blocked nor killed: two files in turn hold the last bytes, their sizes
# add up to the total; what the dead pump had in its hands is not counted. One process does it (.m, O_EXCL). It asks whether
# the slot is still this run's after it made .m, and the handler gives the slot up before it looks for .m: so either the
# handler waits for .d, or we leave the FIFO alone. Opening it read-write first keeps the second open from waiting for a writer.
spill() {
  exec </dev/null >/dev/null
  self
  q_room=1
  if ! create "$q_j/$1.$2.m" "$q_self"; then
    spilt "$1.$2" && return
    q_room=''
  fi
  read -r q_x <"$q_f/$3"
  if [ "$q_x" != "$1" ]; then
    [ ! "$q_room" ] || echo 0 0 >"$q_j/$1.$2.d"
    return
  fi
  exec 6<>"$q_f/$3.$2"
  exec <"$q_f/$3.$2" 6>&-
  if [ ! "$q_room" ]; then
    # No room even for the claim. Then nothing can be kept, and however many read do no harm.
    cat
    return
  fi
  q_old=$q_j/$1.$2.1 q_new=$q_j/$1.$2.2 q_all=0 q_was=0
  while dd bs=65536 count=64 >>"$q_new" || ! cat; do
    size "$q_new"
    [ "$q_n" -gt $q_was ] || break
    q_was=$q_n
    [ "$q_was" -gt 1048576 ] || continue
    q_all=$((q_all + q_was)) q_was=0
    printf '' >"$q_old"
    q_x=$q_old q_old=$q_new q_new=$q_x
  done
  size "$q_new"
  q_all=$((q_all + q_n))
  cat "$q_old" "$q_new" | tail -c 65536 >"$q_j/$1.$2.t"
  size "$q_j/$1.$2.t"
  rm -f "$q_old" "$q_new"
  echo $q_all "$q_n" >"$q_j/$1.$2.d"
}

# Waits for the one who spills. Nobody does if his claim stays empty: the disk is full.
spilt() {
  q_n='' q_i=0
  until [ -s "$q_j/$1.d" ]; do
    if [ "$q_n" ]; then living "$q_n" || return 0; fi
    read -r q_n <"$q_j/$1.m" || q_i=$((q_i + 1))
    [ $q_i -lt 3 ] || return 1
    nap
  done
}

# A pump that died before its pipe closed is replaced by a spill. One that met EOF looks the same: its spill meets EOF too.
relieve() { # ID, after look
  case $q_state in running | exited) ;; *) return ;; esac
  [ "$q_po" ] || return
  living "$q_po" || [ -e "$q_j/$1.o.m" ] || relief "$1" o "$q_at" &
  living "$q_pe" || [ -e "$q_j/$1.e.m" ] || relief "$1" e "$q_at" &
}
relief() {
  exec </dev/null >/dev/null 3>&- 5>&- 7>&-
  spill "$@"
}

# The command itself. SIGPIPE is ignored here and must not be in it. INT and QUIT are ignored in whatever a shell starts with
# `&`: bash can undo that, for the others GNU env does where it is present. Values reach the environment through env only:
# assigning OPTIND or UID here would end some shells.
launch() {
  if [ "$q_stdin" ]; then exec <"$q_stdin"; else exec <&7; fi
  exec >&4 2>&5 3>&- 4>&- 5>&- 6>&- 7<&- 8<&- 9<&-
  trap - PIPE INT QUIT
  export PODQ_RUN="$q_token"
  if [ "$q_int" ]; then
    set -- env --default-signal=INT,QUIT -- "$@"
  elif [ "$q_nenv" != 0 ] || [ ! "$q_setsid" ]; then
    set -- env -- "$@"
  fi
  [ ! "$q_setsid" ] || set -- setsid -- "$@"
  exec "$@"
}

# A number that another process may read at any time: it stands twice and has always as many digits. Being written over while it
# is read, byte by byte, it may be taken for a smaller one, but never for a larger.
mark() { echo $((1000000000000000 + $2)) $((1000000000000000 + $2)) 1<>"$1"; }
marked() {
  read -r q_1 q_2 <"$1" && [ "$q_1" = "$q_2" ] || return 1
  q_n=$((q_1 - 1000000000000000))
}

# Feeds a command whose input is still being written, a piece for each record. What was fed before is passed over: two sessions may
# have sent the same bytes, cut in other places. Ends at the end of the input, or when nobody reads it.
feeder() {
  exec >&6 6<>"$q_j/$q_id.f" 3>&- 4>&- 5>&- 7<&- 8<&- 9<&-
  cd /
  q_fed=0
  mark "$q_j/$q_id.i" 0 || exit 255
  while read -r q_at q_len q_by <&6; do
    [ "$q_at" != - ] || exit 0
    q_piece=$q_j/$q_id.$q_by.$q_at.in
    q_n=$((q_at + q_len - q_fed))
    if [ "$q_len" = 0 ]; then
      [ "$q_at" != $q_fed ] || break
    elif [ "$q_at" -le $q_fed ] && [ $q_n -gt 0 ]; then
      if [ $q_n = "$q_len" ]; then LC_ALL=C cat "$q_piece"; else tail -c $q_n "$q_piece"; fi || exit
      q_fed=$((q_fed + q_n))
      mark "$q_j/$q_id.i" $q_fed
    fi
    rm -f "$q_piece"
  done
  rm -f "$q_j/$q_id.f"
}

# The command has ended, and what feeds it goes, by a signal that nobody else would choose. A feeder that was killed in another way
# gave the command half an input for a whole one.
starve() {
  kill -USR1 "$q_feed"
  wait "$q_feed"
  case $? in
  0 | 1 | 138) ;;
  *) [ -s "$q_j/$q_id.k" ] || echo stdin >"$q_j/$q_id.k" ;;
  esac
  # Nor does a bulk way outlive it; its number is only believed with its name.
  [ ! -s "$q_j/$q_id.b" ] || { read -r q_x <"$q_j/$q_id.b" && grep -q "$q_id" "/proc/$q_x/cmdline" && kill "$q_x"; }
  rm -f "$q_j/$q_id.f" "$q_j/$q_id.q" "$q_j/$q_id.h" "$q_j/$q_id.i" "$q_j/$q_id.b" "$q_j/$q_id".*.in
}

# Ends a handler whose command was not started.
refuse() {
  record "$q_id" "e $1"
  printf '' >"$q_r/$q_slot"
  out say E "$q_id" "$1"
  printf '' >"$q_f/$q_slot"
  exit 0
}

# One run, from the claim to its end. Arguments: NFENCE ID... NENV K=V... ARGV...
handle() {
  exec </dev/null 5>&- 7>&-
  [ ! "$q_via" ] || exec >/dev/null
  self
  record "$q_id" "h $q_self"
  fence "$@"
  shift $(($1 + 1))
  q_nenv=$1
  shift
  cd "${q_cwd:-$q_home}" || refuse cwd
  unset OLDPWD
  q_stdin=/dev/null q_feed=''
  if [ "$q_input" = live ]; then
    q_stdin=''
    mark "$q_j/$q_id.h" 0 && mkfifo "$q_j/$q_id.f" "$q_j/$q_id.q" || refuse noclaim
  elif [ "$q_input" -gt 0 ]; then
    q_stdin=$q_j/$q_id.$q_sess.in
    size "$q_stdin"
    [ "$q_n" = "$q_input" ] || refuse stdin
  fi
  exec 6<>"$q_f/$q_slot.o" 4>"$q_f/$q_slot.o" 8<"$q_f/$q_slot.o" 6>&-
  exec 6<>"$q_f/$q_slot.e" 5>"$q_f/$q_slot.e" 9<"$q_f/$q_slot.e" 6>&-
  if [ ! "$q_stdin" ]; then
    exec 6<>"$q_j/$q_id.q" 7<"$q_j/$q_id.q"
    exec 6>"$q_j/$q_id.q"
  fi
  [ ! -e "$q_j/$q_id.k" ] || refuse killed
  clock
  q_t0=$q_ms
  # The command first: we hold the pipes' other ends, and what it takes to start the pumps passes beside it.
  launch "$@" &
  q_lead=$!
  pump o &
  q_po=$!
  pump e &
  q_pe=$!
  if [ ! "$q_stdin" ]; then
    feeder &
    q_feed=$!
  fi
  exec 4>&- 5>&- 6>&- 7<&-
  record "$q_id" "p $q_lead $q_po $q_pe $q_t0"
  wait "$q_lead"
  q_rc=$?
  clock
  q_t1=$q_ms
  [ ! "$q_feed" ] || starve
  [ ! -s "$q_j/$q_id.k" ] || quiet
  leave
  q_left=$q_live$q_unsure
  record "$q_id" "x $q_rc $q_left $q_t1"
  printf '' >"$q_r/$q_slot"
  q_why=- q_quiet=''
  [ ! -s "$q_j/$q_id.k" ] || read -r q_why <"$q_j/$q_id.k"
  if [ "$q_live" != 0 ]; then
    # A background child may hold the pipes for days: the client hears of the exit now and asks for the rest, and we no longer
    # hold the session's standard output open.
    echo "$q_id +" 1<>"$q_f/$q_slot" # not emptied in between: an empty slot is a free one
    out say X "$q_id" "$q_rc" "$q_why" "$q_left" "$q_t0" "$q_t1"
    echo "$q_id" 1<>"$q_f/$q_slot"
    exec >/dev/null
    q_quiet=1
  fi
  q_sure='='
  wait "$q_po" || { q_sure=+; (spill "$q_id" o "$q_slot"); }
  wait "$q_pe" || { q_sure=+; (spill "$q_id" e "$q_slot"); }
  echo "- $q_id" 1<>"$q_f/$q_slot"
  [ ! -e "$q_j/$q_id.o.m" ] || spilt "$q_id.o"
  [ ! -e "$q_j/$q_id.e.m" ] || spilt "$q_id.e"
  sizes "$q_id"
  q_oall=$q_out q_eall=$q_err q_otail=0 q_etail=0
  if [ "$q_sure" = + ]; then
    if [ -s "$q_j/$q_id.o.d" ]; then
      read -r q_x q_otail <"$q_j/$q_id.o.d"
      q_oall=$((q_out + q_x))
    fi
    if [ -s "$q_j/$q_id.e.d" ]; then
      read -r q_x q_etail <"$q_j/$q_id.e.d"
      q_eall=$((q_err + q_x))
    fi
  fi
  record "$q_id" "z $q_out $q_err $q_oall $q_eall $q_otail $q_etail $q_sure"
  [ "$q_sure" = '=' ] && [ $((q_out + q_err)) -le "$q_inline" ] || q_inline=-1
  [ "$q_quiet" ] || out closing
  printf '' >"$q_f/$q_slot"
}

# The last frame of a run, with its whole output if that is small.
closing() {
  take
  echo "Z $q_id $q_rc $q_why $q_left $q_t0 $q_t1 $q_out $q_err $q_oall $q_eall $q_otail $q_etail $q_sure $((q_inline >= 0))"
  if [ "$q_inline" -ge 0 ]; then
    [ "$q_out" = 0 ] || dd if="$q_j/$q_id.o" bs=65536
    [ "$q_err" = 0 ] || dd if="$q_j/$q_id.e" bs=65536
  fi
  give
}

# A handler's way to the client: what was the main shell's standard output, opened for the moment of the frame. Held, it would keep
# kubectl on the host for as long as the command runs, after the session has ended.
out() {
  if [ -e "$q_f/$q_sess.dead" ]; then
    return 0
  elif [ "$q_via" ]; then
    "$@" >>"$q_via"
  else
    "$@"
  fi
}

# Nothing that was there before may run beside us: the runs named, and if exclusive every other run of this pod.
fence() {
  q_n=$1
  while [ "$q_n" -gt 0 ]; do
    shift
    q_n=$((q_n - 1))
    create "$q_j/$1.c" "t fence" || (reap "$1" fence "$q_grace")
  done
  [ "$q_alone" = 1 ] || return 0
  for q_d in "$q_r"/*; do
    [ -s "$q_d" ] && [ "$q_d" != "$q_r/$q_slot" ] && read -r q_1 q_x <"$q_d" && (reap "$q_1" fence "$q_grace")
  done
}

# A run that is being ended is over when all of it is, or when whoever ends it gives up.
quiet() {
  q_hard=$((q_ms + q_grace + 10000))
  while tree "$q_token" "$q_lead" '' && [ "$q_group$q_loose" ] && clock && [ $q_ms -lt $q_hard ]; do nap; done
}

# Counts what lives on after the leader's end: q_live; q_unsure if there may be more that cannot be told from other runs'
# processes. Whatever was started later has a higher number, unless numbers wrapped, which takes a while. So after a short run
# only that is looked at, and beside other runs no closer than to find the token or the leader's group.
leave() {
  q_live=0 q_unsure='' q_n=''
  if [ $((q_t1 - q_t0)) -lt 1000 ]; then
    for q_d in /proc/[0-9]*; do
      case $q_d in /proc/$$ | /proc/$q_watch | /proc/$q_self | /proc/$q_po | /proc/$q_pe) continue ;; esac
      [ "${q_d#/proc/}" -le "$q_lead" ] || q_n="$q_n $q_d"
    done
    [ "$q_n" ] || return 0
    if rivals; then
      q_unsure='?'
      kill -0 "-$q_lead" || carried $q_n || return 0
    fi
  fi
  q_ours=' '
  for q_d in "$q_f"/*.s; do
    read -r q_x <"$q_d"
    q_ours="$q_ours$q_x "
  done
  tree "$q_token" "$q_lead" "$q_t0" $q_n
  for q_d in $q_group $q_loose; do q_live=$((q_live + 1)); done
  [ ! "$q_new" ] || strangers
}

carried() { # DIR...
  for q_d; do
    shift
    set -- "$@" "$q_d/environ"
  done
  grep -q "PODQ_RUN=$q_token" "$@"
}

# Whether another run was there at any time beside this one. A slot's file is written when its run begins and when it ends.
rivals() {
  for q_d in "$q_r"/*; do
    [ "$q_d" != "$q_r/$q_slot" ] || continue
    [ ! -s "$q_d" ] && [ ! "$q_d" -nt "$q_r/$q_slot" ] || return 0
  done
  return 1
}

# What left the leader's session without the token is nobody's: it began since we did, in a session that did. It is counted if
# it can be no other run's, and nothing but what the pod does is to be seen.
strangers() {
  rivals && q_unsure='?' && return
  q_n=0
  for q_d in $q_new; do
    status "$q_d" && [ "$q_se" != 0 ] || continue
    q_x=$q_se
    if status "$q_se"; then [ $((q_start * 10)) -ge "$q_t0" ]; else [ "$q_x" -gt "$q_lead" ]; fi || continue
    if [ ! -r "/proc/$q_d/environ" ]; then
      q_unsure='?' # another user's
    elif grep -q PODQ_RUN= "/proc/$q_d/environ"; then
      continue
    fi
    q_n=$((q_n + 1))
  done
  [ $q_n -gt 0 ] || return 0
  if [ "$q_alone" = 1 ] && [ ! "$q_shared" ]; then q_live=$((q_live + q_n)); else q_unsure='?'; fi
}

# ---- calls ------------------------------------------------------------------------------------------------------------

# put ID OFFSET TEXT: one piece of standard input, as printf %b text; the file is named by session, so that a late piece from
# a dead connection mixes with nothing.
put() {
  [ ! -s "$q_j/$1.c" ] || return 0
  if [ "$2" = 0 ]; then
    printf %b "$3" >"$q_j/$1.$q_sess.in"
  else
    printf %b "$3" >>"$q_j/$1.$q_sess.in"
  fi
}

# feed ID OFFSET LENGTH TEXT: a piece of standard input for a command that runs; LENGTH 0 is its end. It is taken only right behind
# the last one, so that a late or a double piece does no harm, and told to the feeder when it is whole. The shell must not block:
# a FIFO opened both ways needs no reader, and what the client has out is less than it holds.
feed() {
  [ -p "$q_j/$1.f" ] && marked "$q_j/$1.h" && [ $q_n = "$2" ] || return 0
  [ "$3" = 0 ] || printf %b "$4" >"$q_j/$1.$q_sess.$2.in" || return 0
  echo "$2 $3 $q_sess" 1<>"$q_j/$1.f"
  mark "$q_j/$1.h" $(($2 + $3))
}

# fed ID: how much of its standard input a running command has been fed, and how much was taken in. Nothing before its feeder is
# there, and after the end.
fed() {
  q_fed=- q_taken=-
  if [ -p "$q_j/$1.f" ] && marked "$q_j/$1.i"; then
    q_3=$q_n
    if marked "$q_j/$1.h"; then q_fed=$q_3 q_taken=$q_n; fi
  fi
  say I "$1" $q_fed $q_taken
}

# run ID TOKEN DEADLINE GRACE CAP INLINE INPUT ALONE AGAIN CWD NFENCE ID... NENV K=V... ARGV...
# DEADLINE: seconds; GRACE: ms; CAP: 512-byte blocks a stream; INPUT: bytes put before, or live; AGAIN: 0, or what is known of an earlier
# call (BOOT, or 1): then a journal that dies with the container cannot tell "never claimed" from "forgotten", and nothing starts.
run() {
  q_id=$1 q_token=$2 q_deadline=$3 q_grace=$4 q_cap=$5 q_inline=$6 q_input=$7 q_alone=$8 q_again=$9
  shift 9
  q_cwd=$1
  shift
  if [ -s "$q_j/$q_id.c" ]; then
    say D "$q_id"
    return
  fi
  if [ "$q_kept" = 0 ] && [ "$q_again" != 0 ] && [ "$q_again" != "$q_boot" ]; then
    create "$q_j/$q_id.c" "t forgotten"
    say E "$q_id" forgotten
    return
  fi
  seat || { say E "$q_id" noclaim; return; }
  clock
  q_deadline=$((q_sec + q_deadline))
  if ! create "$q_j/$q_id.c" "c $q_boot $q_token $q_deadline $q_grace $q_cap $q_slot $q_ms"; then
    printf '' >"$q_f/$q_slot"
    if [ -s "$q_j/$q_id.c" ]; then say D "$q_id"; else say E "$q_id" noclaim; fi
    return
  fi
  echo "$q_id $q_deadline $q_grace $q_boot" >"$q_r/$q_slot"
  handle "$@" &
  # Collects ended handlers, which would otherwise stay zombies and count towards the pod's limit of processes.
  q_runs=$((q_runs + 1))
  [ $((q_runs % 16)) != 0 ] || jobs >/dev/null
}

# A slot is a pair of FIFOs that serve one run after another; making them is the only cost.
seat() {
  q_n=1
  while [ $q_n -le $q_slots ]; do
    q_slot=$q_sess.$q_n
    [ -s "$q_f/$q_slot" ] || break
    q_n=$((q_n + 1))
  done
  if [ $q_n -gt $q_slots ]; then
    q_slot=$q_sess.$q_n
    mkfifo "$q_f/$q_slot.o" "$q_f/$q_slot.e" || return 1
    q_slots=$q_n
  fi
  echo "$q_id" >"$q_f/$q_slot"
}

# get ID OUTOFFSET ERROFFSET MAX: state, sizes, and up to MAX bytes of each stream.
get() {
  look "$1"
  if [ ! "$q_out" ]; then
    sizes "$1"
    q_oall=$q_out q_eall=$q_err
    [ "$q_out" -gt "$2" ] || [ "$q_err" -gt "$3" ] || relieve "$1"
  fi
  share "$q_out" "$2" "$4"
  q_no=$q_n
  share "$q_err" "$3" "$4"
  q_ne=$q_n
  if [ ! "$q_dd" ] && [ $((q_no + q_ne)) -gt 0 ]; then
    if dd if=/dev/null iflag=skip_bytes,count_bytes skip=0 count=0 >/dev/null; then q_dd=exact; else q_dd=plain; fi
  fi
  take
  echo "G $1 $q_state $q_rc ${q_why%% *} $q_left $q_t0 $q_t1 $q_out $q_err $q_oall $q_eall $q_otail $q_etail $q_sure $2 $q_no $3 $q_ne"
  slice "$q_j/$1.o" "$2" "$q_no"
  slice "$q_j/$1.e" "$3" "$q_ne"
  give
}
share() {
  q_n=$(($1 - $2))
  [ $q_n -ge 0 ] || q_n=0
  [ $q_n -le "$3" ] || q_n=$3
}

# tail ID o|e: the kept last bytes of a stream that outgrew its cap.
tail_of() {
  size "$q_j/$1.$2.t"
  take
  echo "T $1 $2 $q_n"
  [ "$q_n" = 0 ] || cat "$q_j/$1.$2.t"
  give
}

# kil ID WHY GRACE: a run that is not claimed is made unstartable, one that runs is ended.
kil() {
  if create "$q_j/$1.c" "t $2"; then
    say K "$1" never
  else
    finish "$@" &
  fi
}
finish() {
  exec </dev/null 5>&- 7>&-
  [ ! "$q_via" ] || exec >/dev/null
  reap "$@"
  out say K "$1" $q_end $q_group $q_loose
}

# sig ID N SIGNAL: sends the command's group a signal, once for each N.
sig() { signal "$@" & }
signal() {
  exec </dev/null 5>&- 7>&-
  [ ! "$q_via" ] || exec >/dev/null
  look "$1"
  q_i=0
  while [ "$q_state" = running ] && [ ! "$q_lead" ] && [ $q_i -lt 50 ]; do
    nap
    look "$1"
    q_i=$((q_i + 1))
  done
  out deliver "$@"
}
# Under the lock, so that its answer goes before the end of a command that dies of it.
deliver() {
  take
  q_told=too-late
  if [ -s "$q_j/$1.s$2" ]; then
    read -r q_told <"$q_j/$1.s$2"
  elif [ "$q_state" = running ] && [ "$q_lead" ] && living "$q_lead"; then
    q_told=sent
    while read -r q_k q_x && [ "$q_k" != SigIgn: ]; do :; done <"/proc/$q_lead/status"
    [ $(((0x$q_x >> ($3 - 1)) & 1)) = 0 ] || q_told=ignored
    if ! create "$q_j/$1.s$2" "$q_told"; then
      [ -s "$q_j/$1.s$2" ] || q_told=impossible
    elif ! kill "-$3" "-$q_lead" && ! kill "-$3" "$q_lead"; then
      q_told=impossible
      echo $q_told >"$q_j/$1.s$2"
    fi
  fi
  echo "S $1 $2 $q_told"
  give
}

# forget ID...: deletes outputs and inputs. The claim stays.
forget() {
  for q_d; do
    shift
    set -- "$@" "$q_j/$q_d.o" "$q_j/$q_d.e" "$q_j/$q_d.o.t" "$q_j/$q_d.e.t" "$q_j/$q_d.$q_sess.in"
  done
  rm -f "$@"
}

# ping N: heartbeat. Its time is what the watchdog goes by.
ping() {
  jobs >/dev/null
  clock
  echo "$q_sec" >"$q_f/$q_sess.p"
  say P "$1"
}

# ---- the watchdog -----------------------------------------------------------------------------------------------------

# Outlives the main shell until the last run of its session has closed. Keeps deadlines with nobody connected, replaces dead
# pumps, ends a main shell that nobody talks to (after a crash of the container runtime it gets no EOF), and ends handlers of
# closed runs that block in a frame which nobody will ever read.
watch() {
  exec </dev/null >/dev/null 3>&- 5>&- 7>&-
  cd /
  q_closed=' ' q_swept=''
  while :; do
    sleep "$q_look"
    [ "$q_swept" ] || find "$q_j" -type f -mmin +2880 -exec rm -f {} +
    q_swept=1
    clock
    q_s=$q_sec q_alive=''
    if [ ! -e "$q_f/$q_sess.dead" ] && living $$ && [ "$q_start" = "$q_mine" ]; then
      read -r q_x <"$q_f/$q_sess.p" || q_x=$q_s # it is being written
      if [ $((q_s - q_x)) -gt "$q_idle" ]; then kill -KILL $$; else q_alive=1; fi
    fi
    [ "$q_alive" ] || echo 1 >"$q_f/$q_sess.dead"
    for q_d in "$q_r"/*; do
      [ -s "$q_d" ] && read -r q_1 q_2 q_3 q_4 <"$q_d" || continue
      if [ "$q_4" != "$q_boot" ]; then
        printf '' >"$q_d"
      elif [ "$q_s" -ge "$q_2" ]; then
        # A kill that another process began is left to it, unless that process seems to be gone.
        if [ ! -s "$q_j/$q_1.k" ] || [ "$q_s" -gt $((q_2 + q_3 / 1000 + 20)) ]; then expire "$q_1" "$q_3" & fi
      fi
    done
    q_busy='' q_before=$q_closed q_closed=' '
    for q_d in "$q_f/$q_sess".*[0-9]; do
      [ -s "$q_d" ] || continue
      read -r q_run q_step <"$q_d"
      case $q_run in -) q_run=$q_step q_step=- ;; esac
      look "$q_run"
      # Its handler is gone, but something may still hold the FIFOs: the slot stays taken for good.
      case $q_state in lost:*) continue ;; esac
      q_busy=1
      [ "$q_step" ] || relieve "$q_run"
      [ ! "$q_alive" ] && [ "$q_step" ] || continue
      # In a frame, with nobody to read it. If it was at the last look, it blocks.
      q_closed="$q_closed$q_run$q_step "
      case $q_before in
      *" $q_run$q_step "*)
        kill -KILL "$q_h"
        printf '' >"$q_d"
        ;;
      esac
    done
    [ "$q_alive" ] || [ "$q_busy" ] || break
  done
  rm -f "$q_f/$q_sess".* "$q_r/$q_sess".*
}
expire() {
  exec </dev/null >/dev/null
  reap "$1" timeout "$2"
}

# boot NONCE LOOK IDLE DIR...: LOOK seconds between the watchdog's looks, IDLE seconds without a ping. The first DIR outlives
# the container. A journal that exists is used again, even if another DIR would be better now: claims must not split.
boot() {
  # Diagnostics go nowhere, but standard error stays open: once it is closed, kubelet and containerd close our input.
  # Standard output has a second name, because the first is another file for as long as an `echo >FILE` takes: whoever opened
  # it through /proc in such a moment would send his frame there.
  exec 5>&1 7>&2 2>/dev/null
  trap '' PIPE
  q_sess=$1 q_look=$2 q_idle=$3 q_home=$PWD q_j='' q_slots=1 q_runs=0 q_dd='' q_kept=1
  shift 3
  read -r q_boot </proc/sys/kernel/random/boot_id
  status 1
  q_boot=$q_start-${q_boot%%-*}
  status $$
  q_mine=$q_start q_mine_se=$q_se
  for q_d; do
    if [ ! "$q_j" ] && [ -d "$q_d/.podq1/f" ] && [ -w "$q_d/.podq1/f" ]; then
      q_j=$q_d/.podq1
      [ "$q_d" = "$1" ] || q_kept=0
    fi
  done
  for q_d; do
    if [ ! "$q_j" ] && [ -d "$q_d" ] && mkdir -p "$q_d/.podq1/r" "$q_d/.podq1/f" && [ -w "$q_d/.podq1/f" ]; then
      q_j=$q_d/.podq1
      [ "$q_d" = "$1" ] || q_kept=0
    fi
  done
  if [ ! "$q_j" ]; then
    echo "podq1 $q_sess nodir"
    exit
  fi
  q_r=$q_j/r q_f=$q_j/f
  if ! mkfifo "$q_f/$q_sess.l" "$q_f/$q_sess.1.o" "$q_f/$q_sess.1.e"; then
    echo "podq1 $q_sess nofifo"
    exit
  fi
  exec 3<>"$q_f/$q_sess.l"
  # Not if standard output is a socket, or not ours to open.
  q_via=/proc/$$/fd/5
  printf '' >>"$q_via" || q_via=''
  q_weak='' q_setsid=1 q_ls='' q_int=''
  command -v setsid >/dev/null || { q_setsid='' q_weak=,setsid; }
  command -v stat >/dev/null || q_ls=1
  ! env --default-signal=INT,QUIT true >/dev/null || q_int=1
  [ $q_kept = 1 ] || q_weak=$q_weak,journal
  clock
  echo "$q_sec" >"$q_f/$q_sess.p"
  echo "$q_mine_se" >"$q_f/$q_sess.s"
  # Where the machine's own processes can be seen, not all that appears is the pod's.
  q_shared=''
  read -r q_x </proc/2/comm && [ "$q_x" = kthreadd ] && q_shared=1
  watch &
  q_watch=$!
  echo "podq1 $q_sess ready $q_boot $q_ms $q_kept ${q_weak:-,}"
  give
}
