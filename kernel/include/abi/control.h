/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control block: what two kernels share in memory. TWINKERNEL_CONTROL_BYTES long, page aligned,
 * in the instance's slot but reserved in its memory map. Each member has one writer, named in its
 * section. Nothing read here is trusted: sizes and lengths are checked against the limits, never used
 * as an index before masking.
 */
#ifndef _TWINKERNEL_CONTROL_H
#define _TWINKERNEL_CONTROL_H

#include <linux/types.h>
#include "../uapi/twinkernel.h"

#define TWIN_CONTROL_MAGIC	0x4c4f5254434e5754ULL	/* "TWNCTROL" */
#define TWIN_CONTROL_VERSION	2
#define TWIN_CONTROL_MAX_CPUS	512
#define TWIN_CONTROL_MAX_FUNCTIONS	16
#define TWIN_CONTROL_MAX_MEMORY		256

enum twin_parent_state {
	TWIN_PARENT_RUNNING = 1,
	TWIN_PARENT_PARKED = 2,
};

#define TWIN_MAX_IOAPICS	32
#define TWIN_ISA_LINES		16

struct twin_ioapic {
	__u32 address;
	__u32 gsi_first;	/* global number of its first pin */
};

#define TWIN_LINE_LEVEL		(1u << 0)
#define TWIN_LINE_ACTIVE_LOW	(1u << 1)

/* Where an ISA interrupt arrives, and how. */
struct twin_line {
	__u32 gsi;
	__u32 flags;		/* TWIN_LINE_* */
};

/* Memory that belongs to no kernel: spans, and the pieces in them that have a name. */
struct twin_preserved_span {
	__u64 start;
	__u64 bytes;
};

struct twin_preserved {
	__u32 span_count;
	__u32 piece_count;
	struct twin_preserved_span spans[TWINKERNEL_MAX_PRESERVED_SPANS];
	struct twinkernel_preserved_piece pieces[TWINKERNEL_MAX_PRESERVED];
};

/* A mailbox holds one message. The writer fills data and bytes, then increments sent; the reader copies, then sets fetched = sent. */
struct twin_mailbox {
	__u32 sent;		/* writer */
	__u32 fetched;		/* reader */
	__u32 bytes;		/* writer */
	__u32 reserved;
	__u8 data[TWINKERNEL_MESSAGE_MAX];
};

/*
 * Entries of what was given. A processor is its APIC id, a function TWIN_CONTROL_FUNCTION | bus << 8 | devfn, a piece
 * of memory TWIN_CONTROL_MEMORY().
 */
#define TWIN_CONTROL_NO_CPU	0xffffffffu
#define TWIN_CONTROL_FUNCTION	0x80000000u
#define TWIN_CONTROL_MEMORY_SHIFT 27	/* the smallest memory block there is: both count in it */
#define TWIN_CONTROL_MEMORY(start, bytes) ((start) | (bytes) >> TWIN_CONTROL_MEMORY_SHIFT)

/*
 * Giving and taking back while both kernels run: the parent writes an entry, the instance the word of the same index in
 * the array of what it uses. The instance says that it uses an entry, and only then, behind a full barrier, looks whether
 * the entry still stands; the parent wipes an entry, and only then, behind a full barrier, looks whether it is used,
 * and puts it back if it is. So never do both have it.
 */
struct twin_control {
	/* Written by the parent before the launch, constant afterwards. */
	__u64 magic;
	__u32 version;
	__u32 size;
	__u64 generation;	/* of the machine's kernels: the parent's plus one */
	__u32 tsc_khz;
	__u32 range_count;
	__u64 ecam_base;
	__u32 ecam_bus_first;
	__u32 ecam_bus_last;
	__u64 low_start;
	__u64 low_size;
	__u64 slot_start;
	__u64 slot_bytes;
	__u32 boot_apic_id;	/* the machine's boot processor: INIT sends it to the firmware */
	__u32 constant_reserved;
	struct twinkernel_range ranges[TWINKERNEL_MAX_RANGES];	/* includes memory below 1 MiB */
	__u64 link_start;	/* include/abi/link.h, 0: none */
	__u64 link_bytes;
	__u32 ioapic_count;
	__u32 ioapic_reserved;
	struct twin_ioapic ioapics[TWIN_MAX_IOAPICS];
	struct twin_line isa[TWIN_ISA_LINES];
	struct twin_preserved preserved;	/* no part of ranges */

	/* Written by the parent. */
	__u32 parent_state __attribute__((aligned(64)));
	__u32 parent_reserved;
	__u64 parent_beat;
	__u64 parked_tsc;	/* when parked: TSC and wall clock read together */
	__u64 parked_realtime_ns;
	__u32 parked_apic_id;	/* the CPU that waits, valid when parked */
	__u32 cpu_count;	/* entries in cpus[], those given to the instance; it must leave all others alone before the commit */
	__u32 cpus[TWIN_CONTROL_MAX_CPUS];	/* their APIC ids; written before cpu_count; TWIN_CONTROL_NO_CPU: taken back */
	__u32 functions[TWIN_CONTROL_MAX_FUNCTIONS];	/* given before the park; 0: none */
	__u64 memory[TWIN_CONTROL_MAX_MEMORY];	/* as well */
	__u32 connection_count;	/* entries in connections[], valid when parked */
	struct twinkernel_connection connections[TWINKERNEL_MAX_CONNECTIONS];

	/* Written by the instance. */
	__u32 child_state __attribute__((aligned(64)));	/* enum twinkernel_state */
	__u32 child_return;	/* 1: the parent shall go on */
	__u64 child_beat;
	char child_release[64];
	__u32 cpus_used[TWIN_CONTROL_MAX_CPUS];	/* not 0: it has that of the parent's cpus[]; true from ALIVE on */
	__u32 functions_used[TWIN_CONTROL_MAX_FUNCTIONS];
	__u32 memory_used[TWIN_CONTROL_MAX_MEMORY];

	struct twin_mailbox to_child __attribute__((aligned(64)));
	struct twin_mailbox to_parent __attribute__((aligned(64)));
};

#ifdef __KERNEL__
static_assert(sizeof(struct twin_control) <= TWINKERNEL_CONTROL_BYTES);
#endif

#endif
