/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The link: memory that two kernels exchange frames through, in the instance's slot, reserved in its memory map like
 * the control block. A header, what each side says, and from TWIN_LINK_RINGS on two rings of ring_bytes, to the child
 * first. A ring holds records: a word, then the frame, padded to TWIN_LINK_ALIGN; a frame may wrap, its word never does.
 *
 * Each member has one writer, who keeps its own copy and never reads it back. The reader copies once, then checks, and
 * uses an index only masked. There are no addresses in here but that of the doorbell, which is checked against the
 * processors that the peer has.
 */
#ifndef _TWINKERNEL_LINK_H
#define _TWINKERNEL_LINK_H

#include <linux/types.h>

#define TWIN_LINK_MAGIC		0x4b4e494c4e495754ULL	/* "TWINLINK" */
#define TWIN_LINK_VERSION	1
#define TWIN_LINK_RINGS		0x1000	/* offset of the first ring */
#define TWIN_LINK_ALIGN		8
#define TWIN_LINK_FRAME_MAX	(0xffff + 18)	/* bytes: the largest MTU, an Ethernet header, a VLAN tag */

/* Written by the parent before the launch, constant afterwards. */
struct twin_link_header {
	__u64 magic;
	__u32 version;
	__u32 rings;		/* TWIN_LINK_RINGS */
	__u64 generation;	/* the instance's, as in the control block */
	__u32 ring_bytes;	/* of each ring, a power of two */
	__u32 frame_max;	/* TWIN_LINK_FRAME_MAX */
};

#define TWIN_LINK_UP		1	/* the interface is up; anything else: it is not */

/* What one side says: of itself, of the ring it fills, and of the ring it empties. Indices count bytes and run freely. */
struct twin_link_side {
	__u64 doorbell;		/* TWIN_LINK_DOORBELL(), 0: none */
	__u64 beat;		/* about 100 a second */
	__u32 state;

	__u32 produced __attribute__((aligned(64)));
	__u32 hungry;		/* 1: ring me when there is room again */

	__u32 consumed __attribute__((aligned(64)));
	__u32 armed;		/* ring me when produced goes on from here */
};

/* Where to ring: an interrupt vector of a processor. */
#define TWIN_LINK_DOORBELL(apic_id, vector)	((__u64)(apic_id) << 32 | (vector))

/* A record's word. The checksum is still to be filled in when start is not 0: as for CHECKSUM_PARTIAL. */
#define TWIN_LINK_WORD(bytes, start, offset)	((__u64)(bytes) | (__u64)(__u16)(start) << 32 | (__u64)(__u16)(offset) << 48)

struct twin_link_area {
	struct twin_link_header header;
	struct twin_link_side parent __attribute__((aligned(64)));
	struct twin_link_side child;
};

#ifdef __KERNEL__
static_assert(sizeof(struct twin_link_area) <= TWIN_LINK_RINGS);
static_assert(sizeof(struct twin_link_side) == 192);
#endif

#endif
