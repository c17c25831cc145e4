#!/usr/bin/env bash
# Stop what slurm-up.sh started, and nothing else; its folder goes too, unless KEEP=1.
set -uo pipefail
dir=$(realpath -m "${TENFOLD_SLURM_DIR:-/tmp/tenfold-slurm-$(id -u)}")
export PATH=$PATH:/usr/sbin:/sbin SLURM_CONF=$dir/slurm.conf
[ -s "$SLURM_CONF" ] || { echo "slurm-down: nothing in $dir" >&2; exit 0; }

stop() { # pid file, program
  local pid
  pid=$(cat "$1" 2>/dev/null)
  for signal in TERM KILL; do
    for i in $(seq 50); do
      [ "$(cat "/proc/${pid:-0}/comm" 2>/dev/null)" = "$2" ] || return 0
      grep -q '^State:.Z' "/proc/$pid/status" && return 0 # over; nobody waits for it in a container
      [ "$i" = 1 ] && kill -s $signal "$pid"
      sleep 0.1
    done
  done
}

# jobs first: they outlive their slurmd
if timeout 5 scontrol ping 2>/dev/null | grep -q UP; then
  timeout 5 squeue -h -o %A | sort -u | xargs -r timeout 5 scancel
  for _ in $(seq 100); do
    [ -z "$(timeout 5 squeue -h)" ] && break
    sleep 0.1
  done
fi
for node in n1 n2; do stop "$dir/slurmd.$node.pid" slurmd; done
stop "$dir/slurmctld.pid" slurmctld
stop "$dir/munged.pid" munged
[ "${KEEP:-0}" = 1 ] || rm -rf "$dir"
exit 0
