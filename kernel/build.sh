#!/bin/sh
# build.sh KDIR OUTDIR [make arguments]: builds OUTDIR/twinkernel.ko against the kernel headers in KDIR.
# The sources are linked into OUTDIR, so that nothing is written beside them.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 KDIR OUTDIR [make arguments]" >&2; exit 2; }
kdir=$1 out=$2
shift 2
[ -f "$kdir/Makefile" ] || { echo "$0: no kernel headers in $kdir" >&2; exit 2; }
src=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
for entry in Kbuild include compat "$src"/*.c "$src"/*.h "$src"/*.S; do
	ln -sfn "$src/${entry##*/}" "$out/${entry##*/}"
done
make -s -C "$kdir" M="$out" "$@" modules
