#!/usr/bin/env bash
# Builds the control server from its one C file, and records of which source the programs were built.
#
#     scripts/build-control.sh                 both, in their place (apt-get install gcc gcc-aarch64-linux-gnu)
#     scripts/build-control.sh amd64 FOLDER    one of them, elsewhere
set -euo pipefail
home=$(cd "$(dirname "$0")/../sm_contract/engine/control" && pwd)

build() {
  "$1-linux-gnu-gcc" -Os -Wall -Wextra -Werror -ffreestanding -mgeneral-regs-only -fno-stack-protector -fno-pic \
    -fno-ident -fno-asynchronous-unwind-tables -fno-unwind-tables -nostdlib -static -no-pie -s \
    -Wl,--nmagic,--build-id=none -o "$2" "$home/control.c"
  chmod 644 "$2" # it runs nowhere but in its image, which gives it the right to
}

declare -A compilers=([amd64]=x86_64 [arm64]=aarch64)
if [ $# = 2 ]; then
  build "${compilers[$1]}" "$2/control-$1"
else
  for architecture in amd64 arm64; do build "${compilers[$architecture]}" "$home/control-$architecture"; done
  (cd "$home" && sha256sum control.c control-amd64 control-arm64 >SHA256SUMS)
fi
