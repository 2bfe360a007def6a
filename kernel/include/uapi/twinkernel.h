/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The contract between /dev/twinkernel and user space.
 *
 * Rules, for every request:
 *  - The first member is the size of the structure as the caller knows it, in bytes. The module accepts
 *    a larger one when every byte that it does not know is zero (-E2BIG otherwise), and a smaller one
 *    down to the first published size (-EINVAL below). Members that the caller does not know read zero.
 *  - Reserved members and unknown flags must be zero: -EINVAL.
 *  - A request that fails has changed nothing, unless its documentation says otherwise.
 *  - CAP_SYS_ADMIN and CAP_SYS_BOOT are needed to open the device: -EPERM. Under kernel lockdown
 *    (integrity or stricter) opening fails with -EPERM too: there is no protection between two kernels.
 *  - Addresses are physical, in bytes. Times are nanoseconds of the monotonic clock of the kernel that
 *    answers; a time of another kernel is never handed out as one of this kernel.
 *
 * Words: the *parent* is the kernel that launched this one beside it, an *instance* a kernel that this
 * one launched, a *slot* the physical memory that an instance boots in, the *control block* the pages
 * in the slot that parent and instance share (include/abi/control.h).
 */
#ifndef _UAPI_TWINKERNEL_H
#define _UAPI_TWINKERNEL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define TWINKERNEL_ABI_VERSION	1

#define TWINKERNEL_MAX_RANGES	32
#define TWINKERNEL_MESSAGE_MAX	16384	/* bytes in one message between the two agents */

/* A PCI function of segment 0. */
struct twinkernel_function {
	__u32 bus;
	__u32 devfn;
};

/* ---- query ---------------------------------------------------------------------------------- */

#define TWINKERNEL_QUERY_HAS_PARENT	(1u << 0)	/* booted beside another kernel, not yet committed */
#define TWINKERNEL_QUERY_PARENT_PARKED	(1u << 1)	/* the parent has parked: its devices may be taken */
#define TWINKERNEL_QUERY_TWIN_BOOTED	(1u << 2)	/* booted by a launch, not by firmware; stays set after commit */
#define TWINKERNEL_QUERY_IPI_SHORTHAND	(1u << 3)	/* this kernel may still send broadcast IPIs: unsafe to launch */

#define TWINKERNEL_CPU_ONLINE		(1u << 0)	/* runs this kernel */
#define TWINKERNEL_CPU_INSTANCE		(1u << 1)	/* belongs to the instance in @instance */
#define TWINKERNEL_CPU_MACHINE_BOOT	(1u << 2)	/* the machine's boot processor (IA32_APIC_BASE.BSP) */

struct twinkernel_cpu {
	__u32 cpu;		/* logical number in this kernel */
	__u32 apic_id;
	__u32 flags;		/* TWINKERNEL_CPU_* */
	__u32 instance;		/* instance id, 0: none */
};

#define TWINKERNEL_RANGE_OWNED		(1u << 0)	/* this kernel's System RAM */
#define TWINKERNEL_RANGE_RESERVED	(1u << 1)	/* in this kernel's memory map, held back until adopted */

/* Memory of the machine as its firmware described it, handed on from kernel to kernel. Sorted. */
struct twinkernel_range {
	__u64 start;
	__u64 size;		/* bytes */
	__u32 flags;		/* TWINKERNEL_RANGE_*; ranges are split where flags change */
	__u32 node;		/* NUMA node */
};

/*
 * TWINKERNEL_IOC_QUERY: what is here. Always succeeds on a valid structure.
 *
 * @cpu_capacity, @range_capacity: room at @cpus, @ranges (0: do not fill). The counts are always those
 * of the machine; when a capacity is too small, the first entries are filled and nothing fails.
 */
struct twinkernel_query {
	__u32 size;
	__u32 abi_version;	/* out: TWINKERNEL_ABI_VERSION of the module */
	__u32 flags;		/* out: TWINKERNEL_QUERY_* */
	__u32 tsc_khz;		/* out */
	__u64 memory_block_bytes; /* out: granularity of memory hotplug */
	__u32 cpu_capacity;	/* in */
	__u32 cpu_count;	/* out: present CPUs */
	__u64 cpus;		/* in: struct twinkernel_cpu *, or 0 */
	__u32 range_capacity;	/* in */
	__u32 range_count;	/* out */
	__u64 ranges;		/* in: struct twinkernel_range *, or 0 */
	__u64 ecam_base;	/* out: PCI Express configuration space of segment 0, 0: none known */
	__u32 ecam_bus_first;	/* out */
	__u32 ecam_bus_last;	/* out */
	__u64 control;		/* out: physical address of the control block shared with the parent, 0: none */
	__u64 low_start;	/* out: this kernel's own memory below 1 MiB, when twin booted; 0 otherwise */
	__u64 low_size;
	__u64 parent_beat;	/* out: parent's heartbeat counter, 0 when there is no parent */
};

/* ---- slots ---------------------------------------------------------------------------------- */

#define TWINKERNEL_SLOT_BOOT_RESERVED	(1u << 0)	/* out: the slot lies in a range reserved at boot (module parameter) */
#define TWINKERNEL_SLOT_CRASH_KERNEL	(1u << 1)	/* out: the slot lies in this kernel's crash kernel region (crashkernel=) */

/*
 * TWINKERNEL_IOC_CLAIM_SLOT: take [@start, @start + @bytes) as a slot. Every page of it must be out of
 * this kernel's use: offline memory blocks, a range named by the module's parameter
 * "reserved=SIZE@START", or the region that crashkernel= set aside while no crash kernel is loaded there.
 * While a slot is claimed, its memory blocks refuse to go online.
 *
 * Returns 0 and fills @slot, @flags, @low_start and @low_size (a window below 1 MiB for the instance's
 * AP trampoline that no kernel uses), or
 *   -EINVAL   not aligned to the memory block size, empty, wraps, or beyond the machine's memory
 *   -EBUSY    some of it is online memory of this kernel, or a crash kernel is loaded in it
 *   -EEXIST   overlaps a slot that is claimed already, or preserved memory
 *   -ENOSPC   no free window below 1 MiB
 *   -ENXIO    not memory, or memory this kernel does not own
 */
struct twinkernel_claim_slot {
	__u32 size;
	__u32 slot;		/* out: id, 1.. */
	__u64 start;
	__u64 bytes;
	__u64 low_start;	/* out */
	__u64 low_size;		/* out */
	__u32 flags;		/* out: TWINKERNEL_SLOT_* */
	__u32 reserved;
};

/*
 * TWINKERNEL_IOC_RELEASE_SLOT: give a slot up. -ENOENT unknown, -EBUSY an instance runs in it or it is
 * mapped by a process. Its memory blocks may be put online afterwards.
 */
struct twinkernel_release_slot {
	__u32 size;
	__u32 slot;
};

/*
 * mmap(): offset is a physical address, page aligned; the whole mapping must lie in one claimed slot
 * without a running instance (-EBUSY) or in the launch window below 1 MiB of such a slot; -ENXIO
 * elsewhere. Shared mappings only (-EINVAL). A launch fails with -EBUSY while a mapping exists.
 */

/* TWINKERNEL_IOC_SLOTS: the claimed slots. Semantics of capacity and count as in the query. */
struct twinkernel_slot {
	__u32 slot;
	__u32 flags;
	__u64 start;
	__u64 bytes;
	__u64 low_start;
	__u64 low_size;
	__u32 instance;		/* running in it, 0: none */
	__u32 reserved;
};

struct twinkernel_slots {
	__u32 size;
	__u32 capacity;
	__u32 count;		/* out */
	__u32 reserved;
	__u64 slots;		/* struct twinkernel_slot * */
};

/* ---- instances ------------------------------------------------------------------------------ */

/*
 * TWINKERNEL_IOC_LAUNCH: start the kernel that was written into @slot on the offline CPU @cpu: INIT,
 * SIPI at a trampoline below 1 MiB, long mode on @page_table, jump to @entry with RSI = @boot_params
 * (Linux x86 64-bit boot protocol). The module writes the control block at @control first; the
 * instance's module finds it through its parameter "control=".
 *
 * Returns 0 and @instance when the CPU has left the trampoline, or
 *   -ENOENT   unknown slot or CPU
 *   -EBUSY    the CPU is online or belongs to an instance, the slot runs one already, or is mapped; a crash
 *             kernel is loaded in it (kexec -p -u first: what was loaded stays where it is)
 *   -EINVAL   an address lies outside the slot or is not aligned (page: @page_table, @boot_params,
 *             @control), or @control does not leave TWINKERNEL_CONTROL_BYTES inside the slot; @image_id is no
 *             text of printable ASCII that ends within its member; @link is not page aligned, @link_bytes is less than
 *             TWINKERNEL_LINK_BYTES_MIN (or not 0 without @link), or they do not lie in the slot beside the control block
 *   -EPERM    broadcast IPIs are possible (TWINKERNEL_QUERY_IPI_SHORTHAND)
 *   -ETIMEDOUT the CPU did not reach the trampoline's end within a second; it was reset again
 */
#define TWINKERNEL_CONTROL_BYTES	0x10000
#define TWINKERNEL_LINK_BYTES_MIN	0x81000	/* a page, and twice 256 KiB */
#define TWINKERNEL_IMAGE_ID		72	/* bytes with the NUL: "sha256:" and 64 digits */

struct twinkernel_launch {
	__u32 size;
	__u32 slot;
	__u32 cpu;
	__u32 instance;		/* out: id, 1.., never used twice while the module is loaded */
	__u64 entry;
	__u64 boot_params;
	__u64 page_table;
	__u64 control;
	char image_id[TWINKERNEL_IMAGE_ID];	/* for people, in sysfs: printable ASCII, NUL padded (since 1, size 120) */
	__u64 link;		/* memory for the link between the two kernels (include/abi/link.h), 0: none */
	__u64 link_bytes;	/* a page and two rings, each the largest power of two that fits (since 1, size 136) */
};

/*
 * TWINKERNEL_IOC_STOP: end an instance: INIT to every CPU it has taken, its PCI functions lose bus
 * mastering. Idempotent: a stopped instance is forgotten, a second call returns -ENOENT. The CPUs stay
 * offline in this kernel and may be put online again.
 */
struct twinkernel_stop {
	__u32 size;
	__u32 instance;
};

enum twinkernel_state {
	TWINKERNEL_LAUNCHED = 1,	/* CPU started, the instance's module not heard of yet */
	TWINKERNEL_ALIVE = 2,		/* the instance's module is loaded and its heart beats */
	TWINKERNEL_READY = 3,		/* its agent called TWINKERNEL_IOC_READY */
	TWINKERNEL_SERVING = 4,		/* it has taken over a PCI function of this kernel, parked */
	TWINKERNEL_PANICKED = 5,	/* it said so in its last breath */
};

struct twinkernel_instance {
	__u32 instance;
	__u32 slot;
	__u32 state;		/* enum twinkernel_state, as the instance published it */
	__u32 cpu_count;	/* CPUs that it was given */
	__u64 beat;		/* heartbeat counter, 100 a second */
	__u64 beat_age_ns;	/* since this kernel saw the counter change; this kernel's clock */
	char release[64];	/* uname -r, NUL padded; empty before ALIVE */
};

/* TWINKERNEL_IOC_INSTANCES: the instances of this kernel. */
struct twinkernel_instances {
	__u32 size;
	__u32 capacity;
	__u32 count;		/* out */
	__u32 reserved;
	__u64 instances;	/* struct twinkernel_instance * */
};

/*
 * TWINKERNEL_IOC_GIVE_CPU: note that the offline CPU @cpu is now the instance's, so that it refuses to
 * go online here until it is taken back or the instance ends. The instance may put it online at once.
 * -ENOENT, -EBUSY as for a launch.
 *
 * TWINKERNEL_IOC_TAKE_CPU: take it back once the instance has put it offline, or never had it online: it is reset, and may go
 * online here.
 *   -ENOENT   unknown instance, or one that was not given this CPU
 *   -EAGAIN   the instance is not ALIVE: what it uses is not known
 *   -EBUSY    the instance uses it, or has panicked
 *   -EOPNOTSUPP the machine's boot processor, whose reset needs memory of the instance: it comes back when that ends
 */
struct twinkernel_give_cpu {
	__u32 size;
	__u32 instance;
	__u32 cpu;
	__u32 reserved;
};

/*
 * TWINKERNEL_IOC_GIVE_FUNCTION: hand a PCI function over while this kernel runs on. User space unbinds its driver first;
 * from then on no driver binds to it here (it shows the driver "twinkernel"), its bus mastering is off, and the instance
 * may adopt it before the park. It is not to be named in a park.
 *   -ENOENT   unknown instance
 *   -ENODEV   no such function here
 *   -EBUSY    a driver is bound to it
 *   -EEXIST   given already, to this instance or another
 *   -EOPNOTSUPP a bridge, or no ECAM known
 *   -ENOSPC   the instance has 16 already
 *
 * TWINKERNEL_IOC_TAKE_FUNCTION: take it back once the instance has released it or has never adopted it; the drivers here
 * are asked for it again. What an instance still has when it ends, in whatever way, comes back in the same way, after a
 * reset where the function knows one.
 *   -ENOENT   unknown instance, or one that was not given this function
 *   -EBUSY    the instance uses it
 */
struct twinkernel_give_function {
	__u32 size;
	__u32 instance;
	struct twinkernel_function function;
};

/*
 * TWINKERNEL_IOC_GIVE_MEMORY: hand offline memory blocks over while this kernel runs on. They refuse to go online here, and
 * the instance may adopt exactly this piece before the park.
 *   -ENOENT   unknown instance
 *   -EINVAL, -EBUSY, -EEXIST, -ENXIO as for a claim; -EEXIST also where it overlaps a piece that was given
 *   -ENOSPC   the instance has 256 pieces already
 *
 * TWINKERNEL_IOC_TAKE_MEMORY: take a piece back, as it was given, once the instance has released it or has never adopted it. Its
 * blocks may go online here. What an instance still has when it ends comes back by itself.
 *   -ENOENT   unknown instance, or one that was not given this piece
 *   -EBUSY    the instance uses it
 */
struct twinkernel_give_memory {
	__u32 size;
	__u32 instance;
	__u64 start;
	__u64 bytes;
};

/* ---- messages between the two agents ---------------------------------------------------------- */

/*
 * TWINKERNEL_IOC_SEND: put one message (opaque to the kernels, at most TWINKERNEL_MESSAGE_MAX bytes)
 * into the mailbox to @instance, or to the parent when @instance is 0.
 *   -ENOENT no such instance or no parent; -EAGAIN the last one was not fetched yet; -EMSGSIZE
 *
 * TWINKERNEL_IOC_RECEIVE: wait up to @timeout_ms for a message. @bytes: in, room at @data; out, its length.
 *   -ETIMEDOUT, -ENOENT, -EMSGSIZE (room too small, message kept, @bytes tells the need), -EINTR,
 *   -EPROTO (the other side wrote a length beyond the limit: the message is dropped)
 */
struct twinkernel_message {
	__u32 size;
	__u32 instance;
	__u32 timeout_ms;	/* receive only, at most 60000 */
	__u32 bytes;
	__u64 data;
};

/* ---- cut-over -------------------------------------------------------------------------------- */

#define TWINKERNEL_PARK_MAX_FUNCTIONS	8

enum twinkernel_park_end {
	TWINKERNEL_PARK_SILENT = 1,	/* the heartbeat stood still for @patience_ms */
	TWINKERNEL_PARK_PANICKED = 2,	/* the instance published its panic */
	TWINKERNEL_PARK_RETURNED = 3,	/* the instance asked this kernel to go on (TWINKERNEL_IOC_RETURN) */
	TWINKERNEL_PARK_CORRUPT = 4,	/* the control block holds what the instance's module never writes */
};

/*
 * TWINKERNEL_IOC_PARK: the last CPU of this kernel lets @functions go (bus mastering off), publishes
 * that it has parked together with its wall clock, and waits with interrupts off, watching the
 * instance's heartbeat. A successful upgrade never returns from here: the instance resets this CPU.
 * When it returns 0, this kernel is whole again, the instance's CPUs have been reset, its functions have
 * lost bus mastering, @end tells why and @parked_ns how long it lasted; the instance is forgotten.
 * User space then binds its drivers anew and puts CPUs online.
 *   -ENOENT   unknown instance
 *   -EAGAIN   the instance is not READY
 *   -EBUSY    more than one CPU is online here
 *   -EINVAL   a function that does not exist or was given before, or bad counts; @patience_ms outside 10..60000
 */
struct twinkernel_park {
	__u32 size;
	__u32 instance;
	__u32 patience_ms;
	__u32 end;		/* out: enum twinkernel_park_end */
	__u64 parked_ns;	/* out */
	__u32 function_count;	/* at most TWINKERNEL_PARK_MAX_FUNCTIONS */
	__u32 reserved;
	struct twinkernel_function functions[TWINKERNEL_PARK_MAX_FUNCTIONS];
};

/*
 * TWINKERNEL_IOC_ARM: from now on a panic of this kernel hands the machine to @instance instead of resetting it:
 * @functions lose bus mastering, this kernel publishes that it has parked, and stays still for ever. The instance
 * takes over and commits as after a park; there is no way back from it. Armed until the instance ends, is parked for,
 * or until it is armed anew; @instance 0 disarms. Without effect on a kernel that has a crash kernel loaded
 * (kexec -p), unless it was booted with crash_kexec_post_notifiers. Not the default: who arms must have told the
 * instance's agent what to take.
 *   -ENOENT   unknown instance
 *   -EAGAIN   the instance is not READY
 *   -EINVAL   a function that does not exist or was given before, or bad counts
 */
struct twinkernel_arm {
	__u32 size;
	__u32 instance;
	__u32 function_count;	/* at most TWINKERNEL_PARK_MAX_FUNCTIONS */
	__u32 reserved;
	struct twinkernel_function functions[TWINKERNEL_PARK_MAX_FUNCTIONS];
};

/* ---- in the instance ---------------------------------------------------------------------------- */

/* Requests below need a parent: -ENOENT when this kernel has none (or has committed already). */

/* TWINKERNEL_IOC_READY: the agent here is ready to take over; the parent sees TWINKERNEL_READY. Idempotent. */
struct twinkernel_ready {
	__u32 size;
	__u32 reserved;
};

/*
 * TWINKERNEL_IOC_WAIT_PARKED: wait until the parent has parked; then this kernel's wall clock is the
 * parent's. -ETIMEDOUT, -EINTR. Returns at once when it has parked already.
 */
struct twinkernel_wait_parked {
	__u32 size;
	__u32 timeout_ms;	/* at most 60000 */
	__u64 parked_age_ns;	/* out: how long before the return the parent had parked (since 1, size 16) */
};

/*
 * TWINKERNEL_IOC_CONNECTIONS: TCP connections over IPv4 that the parent had with other hosts when it parked, and whose other
 * ends may wait for it; at most TWINKERNEL_MAX_CONNECTIONS, none after a panic. Semantics of capacity and count as in the query.
 *   -EAGAIN the parent has not parked
 */
#define TWINKERNEL_MAX_CONNECTIONS	1024

struct twinkernel_connection {
	__be32 local;
	__be32 remote;
	__be16 local_port;
	__be16 remote_port;
};

struct twinkernel_connections {
	__u32 size;
	__u32 capacity;
	__u32 count;		/* out */
	__u32 reserved;
	__u64 connections;	/* struct twinkernel_connection * */
};

/*
 * TWINKERNEL_IOC_ADOPT_FUNCTION: scan one PCI function, keep the addresses that its BARs have, and hand
 * it to the drivers. Returns when the driver's probe has run.
 *   -EAGAIN the parent has not parked; -ENODEV nothing there; -EEXIST adopted already (the device is
 *   there: success for an idempotent caller); -EOPNOTSUPP no ECAM known
 */
struct twinkernel_adopt_function {
	__u32 size;
	__u32 reserved;
	struct twinkernel_function function;
};

/*
 * TWINKERNEL_IOC_RELEASE_FUNCTION: the way back of a function that the parent gave: its driver here is unbound, it leaves
 * this kernel's PCI tree, bus mastering goes off, and the parent may take it.
 *   -ENOENT   not adopted here, or not given by the parent
 */
struct twinkernel_release_function {
	__u32 size;
	__u32 reserved;
	struct twinkernel_function function;
};

/* TWINKERNEL_IOC_RETURN: give back: the parked parent goes on. Does not return on success. -EAGAIN not parked. */
struct twinkernel_return {
	__u32 size;
	__u32 reserved;
};

/*
 * TWINKERNEL_IOC_COMMIT: the parent ends. Brings up every present CPU that is offline, the parent's
 * parked one last, then forgets the parent. No way back after this.
 *   -EAGAIN   the parent has not parked
 *   -EIO      a CPU did not come up; the others are online; call again
 * Idempotent: 0 when this kernel was twin booted and has committed already.
 */
struct twinkernel_commit {
	__u32 size;
	__u32 cpus_online;	/* out */
};

/*
 * TWINKERNEL_IOC_ADOPT_MEMORY: take over [@start, @start + @bytes) of the machine's memory after the
 * commit: whole memory blocks by hot-add (they are then to be put online through sysfs by user space),
 * pieces that this kernel was booted with but held back by freeing them. Before the commit: a piece exactly as
 * the parent gave it.
 *   -EAGAIN not committed, and not given; -EINVAL not a part of the machine's memory; -EEXIST owned already
 */
struct twinkernel_adopt_memory {
	__u32 size;
	__u32 reserved;
	__u64 start;
	__u64 bytes;
};

/*
 * TWINKERNEL_IOC_RELEASE_MEMORY: the way back of a piece that the parent gave: its blocks are taken offline and removed, and
 * the parent may take it.
 *   -ENOENT   not adopted here, or not given by the parent in this form
 *   -EBUSY    some of it does not go offline. The blocks before have been removed; call again, or adopt it again.
 */
struct twinkernel_release_memory {
	__u32 size;
	__u32 reserved;
	__u64 start;
	__u64 bytes;
};

/* ---- preserved memory ---------------------------------------------------------------------------- */

/*
 * Memory that belongs to no kernel: each kernel of a chain finds it as the one before left it, and none of their allocators
 * ever has it. It ends with the machine's power, with a kexec and with a reset.
 *
 * TWINKERNEL_IOC_PRESERVE_MEMORY: from now on [@start, @start + @bytes) is for preserved pieces, until the machine is
 * reset: it is no part of the machine's memory any more (TWINKERNEL_IOC_QUERY). Of what may be a slot: offline memory
 * blocks, or a range named by the module's parameter "reserved=".
 *   -EINVAL   not aligned to the memory block size, empty, wraps, or beyond the machine's memory; @reserved
 *   -EBUSY    some of it is online memory of this kernel, or an instance runs: it would not know
 *   -EEXIST   overlaps a slot, preserved memory, or what an instance was given
 *   -ENXIO    not memory, or memory this kernel does not own, or of the crash kernel
 *   -ENOSPC   TWINKERNEL_MAX_PRESERVED_SPANS there are, or the rest would be in too many pieces (TWINKERNEL_MAX_RANGES)
 *   -EAGAIN   this kernel is an instance and has not committed
 */
#define TWINKERNEL_MAX_PRESERVED_SPANS	8
#define TWINKERNEL_MAX_PRESERVED	32
#define TWINKERNEL_PRESERVED_NAME	32	/* bytes with the NUL */

struct twinkernel_preserve_memory {
	__u32 size;
	__u32 reserved;
	__u64 start;
	__u64 bytes;
};

/*
 * TWINKERNEL_IOC_PRESERVE: the piece @name of @bytes, made if there is none of this name: zeroes, in one piece. Success
 * means that it is there and has this size. It is the device /dev/twinkernel-preserved/NAME (root, mode 0600), in this
 * kernel and in each that follows from the moment on that its module is loaded. Its size is in
 * /sys/class/misc/twinkernel-preserved!NAME/bytes, and where lseek(fd, 0, SEEK_END) ends.
 *   -EINVAL   @name is empty, does not end within its member, or holds another character than a-z, A-Z, 0-9, '-', '_', '.'
 *             (which must not be the first); @bytes is 0 or no multiple of the page size
 *   -EEXIST   there is one of this name and another size
 *   -ENOSPC   no room in one piece in what TWINKERNEL_IOC_PRESERVE_MEMORY gave, or TWINKERNEL_MAX_PRESERVED there are
 *   -EBUSY    there is none, and an instance runs: it would not know
 *   -EAGAIN   there is none, and this kernel is an instance that has not committed
 *
 * mmap() of the device: MAP_SHARED (-EINVAL otherwise), ordinary cached memory, within the piece (-ENXIO otherwise). Kernels
 * that run side by side see each other's writes at once. The kernel itself cannot take hold of its pages: no O_DIRECT to or
 * from it, no shared futex in it (EFAULT).
 */
struct twinkernel_preserve {
	__u32 size;
	__u32 reserved;
	char name[TWINKERNEL_PRESERVED_NAME];
	__u64 bytes;
};

/*
 * TWINKERNEL_IOC_PRESERVED: what is preserved. Semantics of capacity and count as in the query. @bytes: all that
 * TWINKERNEL_IOC_PRESERVE_MEMORY gave; @largest_free: the largest piece that could be made of it.
 */
struct twinkernel_preserved_piece {
	char name[TWINKERNEL_PRESERVED_NAME];
	__u64 start;
	__u64 bytes;
};

struct twinkernel_preserved {
	__u32 size;
	__u32 capacity;
	__u32 count;		/* out */
	__u32 reserved;
	__u64 pieces;		/* struct twinkernel_preserved_piece * */
	__u64 bytes;		/* out */
	__u64 largest_free;	/* out */
};

#define TWINKERNEL_IOC_MAGIC	0xB7
#define TWINKERNEL_IOC_QUERY		_IOWR(TWINKERNEL_IOC_MAGIC, 0x00, struct twinkernel_query)
#define TWINKERNEL_IOC_CLAIM_SLOT	_IOWR(TWINKERNEL_IOC_MAGIC, 0x01, struct twinkernel_claim_slot)
#define TWINKERNEL_IOC_RELEASE_SLOT	_IOWR(TWINKERNEL_IOC_MAGIC, 0x02, struct twinkernel_release_slot)
#define TWINKERNEL_IOC_SLOTS		_IOWR(TWINKERNEL_IOC_MAGIC, 0x03, struct twinkernel_slots)
#define TWINKERNEL_IOC_LAUNCH		_IOWR(TWINKERNEL_IOC_MAGIC, 0x04, struct twinkernel_launch)
#define TWINKERNEL_IOC_STOP		_IOWR(TWINKERNEL_IOC_MAGIC, 0x05, struct twinkernel_stop)
#define TWINKERNEL_IOC_INSTANCES	_IOWR(TWINKERNEL_IOC_MAGIC, 0x06, struct twinkernel_instances)
#define TWINKERNEL_IOC_GIVE_CPU		_IOWR(TWINKERNEL_IOC_MAGIC, 0x07, struct twinkernel_give_cpu)
#define TWINKERNEL_IOC_SEND		_IOWR(TWINKERNEL_IOC_MAGIC, 0x08, struct twinkernel_message)
#define TWINKERNEL_IOC_RECEIVE		_IOWR(TWINKERNEL_IOC_MAGIC, 0x09, struct twinkernel_message)
#define TWINKERNEL_IOC_PARK		_IOWR(TWINKERNEL_IOC_MAGIC, 0x0a, struct twinkernel_park)
#define TWINKERNEL_IOC_READY		_IOWR(TWINKERNEL_IOC_MAGIC, 0x0b, struct twinkernel_ready)
#define TWINKERNEL_IOC_WAIT_PARKED	_IOWR(TWINKERNEL_IOC_MAGIC, 0x0c, struct twinkernel_wait_parked)
#define TWINKERNEL_IOC_ADOPT_FUNCTION	_IOWR(TWINKERNEL_IOC_MAGIC, 0x0d, struct twinkernel_adopt_function)
#define TWINKERNEL_IOC_RETURN		_IOWR(TWINKERNEL_IOC_MAGIC, 0x0e, struct twinkernel_return)
#define TWINKERNEL_IOC_COMMIT		_IOWR(TWINKERNEL_IOC_MAGIC, 0x0f, struct twinkernel_commit)
#define TWINKERNEL_IOC_ADOPT_MEMORY	_IOWR(TWINKERNEL_IOC_MAGIC, 0x10, struct twinkernel_adopt_memory)
#define TWINKERNEL_IOC_ARM		_IOWR(TWINKERNEL_IOC_MAGIC, 0x11, struct twinkernel_arm)
#define TWINKERNEL_IOC_GIVE_FUNCTION	_IOWR(TWINKERNEL_IOC_MAGIC, 0x12, struct twinkernel_give_function)
#define TWINKERNEL_IOC_TAKE_FUNCTION	_IOWR(TWINKERNEL_IOC_MAGIC, 0x13, struct twinkernel_give_function)
#define TWINKERNEL_IOC_RELEASE_FUNCTION	_IOWR(TWINKERNEL_IOC_MAGIC, 0x14, struct twinkernel_release_function)
#define TWINKERNEL_IOC_GIVE_MEMORY	_IOWR(TWINKERNEL_IOC_MAGIC, 0x15, struct twinkernel_give_memory)
#define TWINKERNEL_IOC_TAKE_MEMORY	_IOWR(TWINKERNEL_IOC_MAGIC, 0x16, struct twinkernel_give_memory)
#define TWINKERNEL_IOC_RELEASE_MEMORY	_IOWR(TWINKERNEL_IOC_MAGIC, 0x17, struct twinkernel_release_memory)
#define TWINKERNEL_IOC_CONNECTIONS	_IOWR(TWINKERNEL_IOC_MAGIC, 0x18, struct twinkernel_connections)
#define TWINKERNEL_IOC_TAKE_CPU		_IOWR(TWINKERNEL_IOC_MAGIC, 0x24, struct twinkernel_give_cpu)
#define TWINKERNEL_IOC_PRESERVE_MEMORY	_IOWR(TWINKERNEL_IOC_MAGIC, 0x28, struct twinkernel_preserve_memory)
#define TWINKERNEL_IOC_PRESERVE		_IOWR(TWINKERNEL_IOC_MAGIC, 0x29, struct twinkernel_preserve)
#define TWINKERNEL_IOC_PRESERVED	_IOWR(TWINKERNEL_IOC_MAGIC, 0x2a, struct twinkernel_preserved)

#endif
