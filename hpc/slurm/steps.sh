# Sourced by the batch scripts: interruptible steps of a study. REQUEUES: maximum number of requeues.
# shellcheck shell=bash
set -uo pipefail

# Slurm signals the time limit (USR1) to this script only, which forwards it to the running step.
asked="" child="" waiting="" status=0
forward() {
  asked=$1 waiting=yes
  echo "$(date +%T) Asked to stop ($1)"
  [ -z "$child" ] || kill -s "$1" "$child" 2>/dev/null
}
trap 'forward USR1' USR1
trap 'forward TERM' TERM

requeue() {
  if [ "${SLURM_RESTART_COUNT:-0}" -ge "$REQUEUES" ]; then
    echo "$(date +%T) Requeued $REQUEUES times already; resubmit to continue"
    exit 75
  fi
  echo "$(date +%T) Requeued, to resume from here"
  scontrol requeue "$SLURM_JOB_ID" || exit 75
  exit 0
}

attempt() { # name, command …: run a command and store its exit status in `status`; completed work is skipped
  local name=$1
  shift
  [ -z "$asked" ] || after 75
  echo "$(date +%T) $name: $*"
  "$@" &
  child=$! waiting=yes
  while [ "$waiting" ]; do # a signal interrupts `wait`, not the step
    waiting=""
    wait "$child"
    status=$?
  done
  child=""
}

step() { # name, command …: the same, but stop if it fails
  attempt "$@"
  [ "$status" -eq 0 ] || after "$status" "$1"
}

after() { # status, name: handle an unfinished step
  case $asked in
    USR1) requeue ;;
    TERM) exit 143 ;; # cancelled, preempted or requeued by Slurm
  esac
  [ "$1" -ne 75 ] || requeue # training was signalled directly, saved a checkpoint and stopped
  echo "$(date +%T) $2 ended with status $1; see its message above. Resubmit to resume from here."
  exit "$1"
}
