#!/usr/bin/env bash
# Makes this machine ready: .venv with the project and its development tools, and a container engine that answers.
# Changes nothing that is there already: an engine that answers is used as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

updated=
apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  local log
  log=$(mktemp)
  if [ -z "$updated" ]; then apt-get update -qq >"$log" 2>&1 || { cat "$log" >&2; die "apt-get update failed"; }; fi
  updated=yes
  apt-get install -y -qq --no-install-recommends "$@" >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; die "apt-get install $* failed"; }
  rm -f "$log"
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || die "needs Python 3.10 or newer: apt-get install python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  die "needs Python 3.10 or newer, and $python is $("$python" -V 2>&1); set PYTHON to another one"

# --- the virtual environment --------------------------------------------------------------------------
stamp=$({ "$python" -V; cat pyproject.toml scripts/setup.sh; pwd; } | sha256sum | cut -c1-64)
if [ "$(cat .venv/stamp 2>/dev/null)" = "$stamp" ] && .venv/bin/python -c 'import sm_contract' 2>/dev/null; then
  say ".venv is up to date"
else
  say "installing the project and its tools into .venv"
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
      rm -rf .venv
      can_apt || die "needs the venv module of $python: apt-get install python3-venv"
      say "installing python3-venv"
      apt_install python3-venv
      "$python" -m venv .venv || die "$python cannot make a virtual environment"
    fi
  fi
  export PIP_DISABLE_PIP_VERSION_CHECK=1
  .venv/bin/python -m pip install -qq --upgrade 'pip>=25.1'
  .venv/bin/python -m pip install -qq --editable . --group dev
  echo "$stamp" >.venv/stamp
fi

# --- what the scripts of a report want, which the tests run --------------------------------------------
if ! command -v curl >/dev/null && can_apt; then
  say "installing curl"
  apt_install curl
fi

# --- the engine ---------------------------------------------------------------------------------------
answers() { .venv/bin/python -m fixtures engine 2>/dev/null; }
if found=$(answers); then
  say "using the engine that answers: $found"
  exit 0
fi
[ -z "${DOCKER_HOST:-}" ] || die "no engine answers at DOCKER_HOST=$DOCKER_HOST; start it, or unset DOCKER_HOST"
[ "$(id -u)" = 0 ] || die "no container engine answers this user, and only root can install and start one here:
  install Docker Engine (apt-get install docker.io), start it (systemctl start docker) and join its group
  (usermod -aG docker $(id -un)), or set DOCKER_HOST to another one, or run this as root"
if ! command -v dockerd >/dev/null; then
  can_apt || die "no container engine answers, and none can be installed here without apt-get:
  install Docker Engine and start it, or set DOCKER_HOST to one"
  say "no engine answers: installing docker.io"
  apt_install docker.io iptables busybox-static
fi
if ! answers >/dev/null; then
  if [ -d /run/systemd/system ] && systemctl start docker 2>/dev/null; then
    say "started the engine with systemctl"
  else
    log=/var/log/sm-contract-dockerd.log
    say "starting dockerd in the background, log in $log"
    setsid nohup dockerd >>"$log" 2>&1 </dev/null &
    engine=$!
  fi
  for _ in $(seq 150); do
    if answers >/dev/null; then break; fi
    [ -z "${engine:-}" ] || kill -0 "$engine" 2>/dev/null || { tail -n 8 "$log" >&2; die "dockerd ended; see $log"; }
    sleep 0.4
  done
fi
found=$(answers) || die "the engine did not answer within a minute; see ${log:-journalctl -u docker}"
say "using $found"
