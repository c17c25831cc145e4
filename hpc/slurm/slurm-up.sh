#!/usr/bin/env bash
# Start a private Slurm on this host, for tests: two virtual nodes on loopback, no systemd, no accounting. A second start
# does nothing. Debian's packages are installed where missing (root, or sudo without a password). Ends with status 3 where
# Slurm cannot be had, 1 where it did not start.
#
#   hpc/slurm/slurm-up.sh && . /tmp/tenfold-slurm-$(id -u)/env.sh      stop: hpc/slurm/slurm-down.sh
#
#   TENFOLD_SLURM_DIR    state, logs, configuration              [/tmp/tenfold-slurm-<uid>]
#   TENFOLD_SLURM_CPUS   processors each node claims to have     [4]
#   TENFOLD_SLURM_PORT   first of three loopback ports           [26917]
#   TENFOLD_SLURM_HOSTS  1: may put this host into /etc/hosts    [0]
set -euo pipefail
dir=$(realpath -m "${TENFOLD_SLURM_DIR:-/tmp/tenfold-slurm-$(id -u)}")
cpus=${TENFOLD_SLURM_CPUS:-4} port=${TENFOLD_SLURM_PORT:-26917} nodes="n1 n2"
export PATH=$PATH:/usr/sbin:/sbin SLURM_CONF=$dir/slurm.conf
sudo=; [ "$(id -u)" = 0 ] || sudo="sudo -n"

die() {
  echo "slurm-up: $*" >&2
  tail -n 5 "$dir"/log/*.log >&2 2>/dev/null || true
  exit "${status:-1}"
}
runs() { # pid file, program: that process is that program, and no zombie
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/${pid:-0}/comm" 2>/dev/null)" = "$2" ] \
    && ! grep -q '^State:.Z' "/proc/$pid/status"
}

[ ${#dir} -le 70 ] || die "$dir is too long a path for unix sockets; set TENFOLD_SLURM_DIR"

missing=()
for pair in munged:munge slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client; do
  command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || status=3 die "needs ${missing[*]}, and this is no Debian"
  log=$(mktemp)
  { $sudo apt-get -qq update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
    -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 \
    || { tail -n 5 "$log" >&2; rm -f "$log"; status=3 die "could not install ${missing[*]}"; }
  rm -f "$log"
fi

mkdir -p "$dir"/{state,log,spool/n1,spool/n2}
chmod 755 "$dir"
exec 9>"$dir/lock"
flock -w 120 9 || die "another start holds $dir/lock"

if [ ! -s "$SLURM_CONF" ]; then # once per folder: a second start cannot disagree with what runs
  # Everything binds to what this host's name resolves to, and tasks call srun back there: it has to be exactly this.
  address() { getent ahostsv4 "$(hostname)" | awk 'NR == 1 { print $1 }'; }
  if [ "$(address)" != 127.0.0.1 ] && [ "${TENFOLD_SLURM_HOSTS:-0}" = 1 ]; then
    hosts=$(cat /etc/hosts)
    printf '127.0.0.1 %s\n%s\n' "$(hostname)" "$hosts" | $sudo tee /etc/hosts >/dev/null
  fi
  [ "$(address)" = 127.0.0.1 ] || status=3 die "this host's name resolves to '$(address)', not to 127.0.0.1:" \
    "put '127.0.0.1 $(hostname)' first in /etc/hosts, or set TENFOLD_SLURM_HOSTS=1 to have it done"
  (umask 277 && head -c 128 /dev/urandom >"$dir/munge.key")
  cat >"$SLURM_CONF.new" <<CONF
ClusterName=tenfold
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$dir/munge.sock
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=pmi2
KillWait=5
MinJobAge=86400
SchedulerParameters=batch_sched_delay=0,sched_interval=5,sched_min_interval=0,bf_interval=2
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=$cpus RealMemory=8000
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=$cpus RealMemory=8000
PartitionName=test Nodes=ALL Default=YES DefaultTime=10 MaxTime=INFINITE
CONF
  mv "$SLURM_CONF.new" "$SLURM_CONF"
  # MPI between the virtual nodes stays on loopback too
  printf 'export SLURM_CONF=%q PATH=$PATH:/usr/sbin:/sbin UCX_NET_DEVICES=lo\n' "$SLURM_CONF" >"$dir/env.sh"
fi

# 9>&-: what is started must not inherit the lock
munge -S "$dir/munge.sock" -n >/dev/null 2>&1 || munged --key-file="$dir/munge.key" --socket="$dir/munge.sock" \
  --pid-file="$dir/munged.pid" --seed-file="$dir/munge.seed" --log-file="$dir/log/munged.log" 9>&- \
  || die "munged did not start"
runs "$dir/slurmctld.pid" slurmctld || slurmctld -i 9>&- || die "slurmctld did not start"
for node in $nodes; do
  runs "$dir/slurmd.$node.pid" slurmd || slurmd -N "$node" 9>&- || die "slurmd of $node did not start"
done
for _ in $(seq 150); do
  [ "$(timeout 3 sinfo -h -N -t idle,alloc,mix -o %N 2>/dev/null | sort -u | wc -l)" = 2 ] && exit 0
  sleep 0.2
done
die "the nodes did not come up within 30 s: $(timeout 3 sinfo -N -h || true)"
