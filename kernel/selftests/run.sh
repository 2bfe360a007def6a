#!/bin/bash
# run.sh SCENARIO: boots kernel A in a virtual machine, launches kernel B beside it and plays SCENARIO, one of those that the
# sources here register with SCENARIO(), among them:
#   handover  B takes card, processors and memory and uses them all
#   panic     B panics after the cut-over; silent: B hangs; return: B gives back: A goes on, whole
#   scribble  B overwrites all that it shares with A after the cut-over: A goes on, whole
#   failover  A panics while B is ready: B takes the machine over and owns it
#   transfer  each kind of resource goes to B and back while A serves, then comes back by itself when B is stopped
#   four, eight  so many CPUs, a block and a second card go to B while A serves, then the rest with the park
#   stop      a running instance is stopped and launched again, then A is whole
#   console   A's interrupt-driven console goes on through B's boot, and B's driver leaves the port alone
#   lines     legacy interrupts in B: polled before the commit, the IOAPIC's pins, edge and level, after it
#   chain     A to B to C and so on, each owning all and launching the next, none with less (A_OPTIONS=twintest.rounds=N)
#   cancels   hundreds of launches that are given up leave nothing behind
#   several   two instances at once, stopped one by one, one of them panics
#   fuzz      random requests from two processes; A is whole and silent (A_OPTIONS=twintest.seed=N repeats one)
#   link      frames, streams and messages over twin0, then the upgrade; linkfuzz: noise over all that the link shares
#   linkbench  measures the link; eng/bench-link plays it
#   inspect   sysfs, uevents and tracepoints tell what is there
#   errors    every refusal the UAPI documents
#   reserved  a slot in memory reserved at boot; no window below 1 MiB holds A's own trampoline
#   numa      slot and processor from the node asked for; B knows the nodes as A does, before and after it owns all
#   unprepared  A may send broadcast IPIs: it refuses to launch
#   kexec_launch  a kernel that kexec -p put into the crash kernel's region is launched through its purgatory
# Environment: A, B: kernel directories (boot/, lib/modules/<release>, lib/modules), MODULE_DIR/<release> with twinkernel.ko and tests/*.ko,
#   A_RELEASE, B_RELEASE, MODULE_DIR, OUT (scratch, kept), LIMIT (seconds for the scenario; a third of it for the boot), PATIENCE (ms), ACCEL, QEMU_OPTIONS.
# Prints the TAP lines of both kernels; exit code 0 when all are ok and no console shows a kernel complaint.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scenario=${1:?scenario}
: "${A:?directory of kernel A}" "${B:?directory of kernel B}" "${A_RELEASE:?}" "${B_RELEASE:?}" "${MODULE_DIR:?}"
OUT=${OUT:-$(mktemp -d)}
mkdir -p "$OUT"
"$here/build.sh" "$OUT/twintest"

drivers="drivers/virtio/virtio drivers/virtio/virtio_ring drivers/virtio/virtio_pci_legacy_dev
drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci net/core/failover drivers/net/net_failover
drivers/net/virtio_net"
root() { # directory, kernel directory, release
	mkdir -p "$1"/{bin,proc,sys,dev,m,next}
	cp "$(command -v busybox)" "$1/bin/"
	cp "$OUT/twintest" "$1/bin/"
	cp "$MODULE_DIR/$3/twinkernel.ko" "$MODULE_DIR/$3"/tests/*.ko "$1/m/"
	for m in $drivers; do
		local file=$2/lib/modules/$3/kernel/$m.ko to=$1/m/${m##*/}.ko
		if [ -f "$file" ]; then cp "$file" "$to"; elif [ -f "$file.xz" ]; then xz -dc "$file.xz" > "$to"; fi
	done
	echo "${PATIENCE:-5000}" > "$1/patience"
	cp "$here/init" "$1/init"
	chmod +x "$1/init"
}
program() { # directory, program: with the libraries that it names
	local path
	path=$(PATH=$PATH:/usr/sbin:/sbin command -v "$2") || { echo "$2 is missing: run eng/deps" >&2; exit 2; }
	cp "$path" "$1/bin/"
	ldd "$path" | grep -o '/[^ ]*' | while read -r path; do cp --parents -L "$path" "$1"; done
}
pack() { (cd "$1" && find . | cpio -o -H newc 2>/dev/null | gzip -1); }

prepared=no_ipi_broadcast=1
QEMU_OPTIONS=${QEMU_OPTIONS:-}
case $scenario in
several) CPUS=${CPUS:-3} ;;
cancels) A_OPTIONS="slub_debug=F ${A_OPTIONS:-}" ;;	# a cache counts each object, none that a processor keeps for later
chain) A_OPTIONS="nokaslr ${A_OPTIONS:-}" ;;	# A must not lie in the first slot
reserved) A_OPTIONS="memmap=1G\$0x20000000 memmap=128K\$0x80000 twinkernel.reserved=1G@0x20000000 ${A_OPTIONS:-}" ;;
numa)
	CPUS=4,sockets=2,cores=2
	QEMU_OPTIONS+=" -object memory-backend-ram,id=m0,size=512M -numa node,nodeid=0,memdev=m0,cpus=0-1"
	QEMU_OPTIONS+=" -object memory-backend-ram,id=m1,size=1536M -numa node,nodeid=1,memdev=m1,cpus=2-3"
	;;
unprepared) prepared='' ;;
kexec_launch) A_OPTIONS="crashkernel=384M ${A_OPTIONS:-}" ;;
transfer | four | eight)
	[ "$scenario" != eight ] || CPUS=${CPUS:-8}
	CPUS=${CPUS:-4}
	QEMU_OPTIONS+=" -device pcie-root-port,id=p1,chassis=1,addr=4 -netdev user,id=n1,net=10.0.3.0/24 -device virtio-net-pci,netdev=n1,bus=p1"
	;;
esac
LIMIT=${LIMIT:-300}
rm -rf "$OUT/a" "$OUT/b"
root "$OUT/b" "$B" "$B_RELEASE"
root "$OUT/a" "$A" "$A_RELEASE"
case $scenario in
kexec_launch) program "$OUT/a" kexec ;;
linkbench)
	program "$OUT/a" iperf3
	program "$OUT/b" iperf3
	mkdir -p "$OUT"/{a,b}/tmp
	;;
esac
cp "$B/boot/vmlinuz-$B_RELEASE" "$OUT/a/next/vmlinuz"
pack "$OUT/b" > "$OUT/a/next/initrd"
pack "$OUT/a" > "$OUT/a.img"
start() {
	rm -f "$OUT"/[ab].log "$OUT/monitor"
	mkfifo "$OUT/monitor"
	exec {monitor}<>"$OUT/monitor"
	# shellcheck disable=SC2086
	qemu-system-x86_64 -machine q35 -accel "${ACCEL:-tcg,thread=multi}" -cpu max -smp "${CPUS:-2}" -m "${MEMORY:-2G}" \
		-nodefaults -display none -no-reboot -kernel "$A/boot/vmlinuz-$A_RELEASE" -initrd "$OUT/a.img" \
		-append "console=ttyS0 panic=-1 $prepared tsc=reliable twintest=$scenario ${A_OPTIONS:-}" \
		-netdev user,id=n0 -device virtio-net-pci,netdev=n0,addr=3 $QEMU_OPTIONS \
		-serial "file:$OUT/a.log" -serial "file:$OUT/b.log" -monitor stdio <&"$monitor" >"$OUT/monitor.log" &
	vm=$!
}
processors() { # where each of a machine's stands that no longer goes on
	local deadline=$((SECONDS + 5))
	echo 'info registers -a' >&"$monitor"
	until grep -qs '^XMM' "$OUT/monitor.log" || [ $SECONDS -ge $deadline ]; do sleep 0.2; done
	tr -d '\r' < "$OUT/monitor.log" | grep -E '^CPU#|^RIP|^CR3|^RSP' || true
}
end() {
	kill "$vm" 2>/dev/null || true
	wait "$vm" 2>/dev/null || true
}
seen() { # SECONDS PATTERN FILE...: until it is there, the machine has ended, or the time is over
	local limit=$1 pattern=$2 deadline=$((SECONDS + $1))
	shift 2
	until grep -qsaE "$pattern" "$@"; do
		kill -0 "$vm" 2>/dev/null || { echo "not ok - the machine ended"; return 1; }
		if [ $SECONDS -ge $deadline ]; then
			echo "no '$pattern' within $limit s; the last lines of the consoles:"
			tail -qn 12 "$OUT"/[ab].log 2>/dev/null | tr -d '\r' || true
			processors
			return 1
		fi
		sleep 0.2
	done
}

trap end EXIT
# An emulated kernel A was seen to stand still in its own boot, before anything of ours ran in it: it is given a second one.
start
seen $((LIMIT / 3)) 'twinkernel: generation|TWINTEST' "$OUT/a.log" || { end; start; }
seen "$LIMIT" 'TWINTEST (PASS|FAIL)' "$OUT"/[ab].log || echo "not ok - the scenario did not end"
end
trap - EXIT

# Leaves out the first panic that says WHAT, from there to the end of its registers; nothing before and nothing after it but
# the line that repeats it.
without_panic() { # WHAT, or '': none is expected
	awk -v what="$1" 'what != "" && !seen && index($0, what) { seen = NR }
		seen && NR < seen + 80 && !ended { ended = /R13: /; next }
		!/---\[ end Kernel panic/'
}

verdict=0
for side in a b; do
	[ -s "$OUT/$side.log" ] || continue
	echo "--- $side"
	tr -d '\r' < "$OUT/$side.log" | sed -nE 's/^\[ *[0-9.]+\] ((ok|not ok|#|TWINTEST|twinkernel:).*)$/\1/p'
	if tr -d '\r' < "$OUT/$side.log" | grep -aE 'not ok|TWINTEST FAIL' >/dev/null; then verdict=1; fi
	complaints='WARNING:|BUG:|kernel BUG at|[Ll]ockup|LOCKUP|rcu.*(stall|detected|starved)|Oops|general protection|unable to handle'
	complaints+='|invalid opcode|divide error|double fault|Hardware Error|blocked for more than|list_(add|del) corruption|UBSAN'
	complaints+='|KASAN|[Bb]ad page|refcount_t|scheduling while atomic|nobody cared|No irq handler|[Ss]purious|unstable|Kernel panic|Call Trace'
	case $scenario/$side in
	panic/b | several/b | failover/a) expected='Kernel panic - not syncing: sysrq triggered crash' ;;
	*) expected='' ;;
	esac
	# Read to its end before it is judged: under pipefail a head that leaves early turns a flood of complaints into none.
	found=$(tr -d '\r' < "$OUT/$side.log" | without_panic "$expected" | grep -aE "$complaints" || true)
	if [ -n "$found" ]; then
		sed 5q <<< "$found"
		echo "not ok - kernel complaints on console $side"
		verdict=1
	fi
done
grep -qsa 'TWINTEST PASS' "$OUT"/[ab].log || verdict=1
exit $verdict
