# Sourced by the batch scripts: the steps of a study, each interruptible. REQUEUES: how often a job may put itself back.
# shellcheck shell=bash
set -uo pipefail

# Slurm tells this script alone that the time is running out (USR1); the step that runs hears of it from here.
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
    echo "$(date +%T) Requeued $REQUEUES times already; submit it again to go on"
    exit 75
  fi
  echo "$(date +%T) Back into the queue, to go on from here"
  scontrol requeue "$SLURM_JOB_ID" || exit 75
  exit 0
}

attempt() { # name, command …: run it to its end, which `status` tells; what has been finished before does nothing
  local name=$1
  shift
  [ -z "$asked" ] || after 75
  echo "$(date +%T) $name: $*"
  "$@" &
  child=$! waiting=yes
  while [ "$waiting" ]; do # a signal ends the waiting, not the step
    waiting=""
    wait "$child"
    status=$?
  done
  child=""
}

step() { # name, command …: the same, and no further where it fails
  attempt "$@"
  [ "$status" -eq 0 ] || after "$status" "$1"
}

after() { # status, name: what to do when a step has not finished
  case $asked in
    USR1) requeue ;;
    TERM) exit 143 ;; # cancelled, preempted or requeued from outside: that is Slurm's to decide
  esac
  [ "$1" -ne 75 ] || requeue # the training was asked directly, saved and stopped
  echo "$(date +%T) $2 ended with status $1; its message stands above. Submitted again, this goes on from here."
  exit "$1"
}
