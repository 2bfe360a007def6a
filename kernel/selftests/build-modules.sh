#!/bin/sh
# build-modules.sh KDIR OUTDIR: what a self test loads, without a warning of the compiler or of sparse: OUTDIR/twinkernel.ko
# and OUTDIR/tests/*.ko, against the kernel headers in KDIR.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 KDIR OUTDIR" >&2; exit 2; }
command -v sparse > /dev/null || { echo "$0: sparse is missing: run eng/deps" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
set -- "$1" "$2" W=1 KCFLAGS=-Werror C=1 CF=-Wsparse-error
"$here/../build.sh" "$@"
kdir=$1 tests=$(cd "$2" && pwd)/tests
shift 2
mkdir -p "$tests"
for source in "$here"/modules/*; do
	ln -sfn "$source" "$tests/${source##*/}"
done
make -s -C "$kdir" M="$tests" "$@" modules
