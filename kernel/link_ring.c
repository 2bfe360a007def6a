// SPDX-License-Identifier: GPL-2.0
/*
 * Frames in and out of a link's rings. All that the peer says is read once into a local variable, and refused, counted,
 * and stepped over when it makes no sense. An index beyond the ring means that it is empty (to be filled again from where
 * the peer says it is) or full (until the peer says otherwise); neither side ever waits in here.
 */
#include "twin.h"
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/skbuff.h>
#include "cpu.h"
#include "doorbell.h"
#include "link.h"

#define LINEAR_BYTES	256	/* headers; what goes beyond lies in pages */
#define SMALL_BYTES	1600	/* up to here all is linear */
#define CHECKSUM_MIN	(ETH_HLEN + sizeof(struct iphdr))	/* no header that has a checksum of this kind begins before */

static u32 record_bytes(u32 frame)
{
	return sizeof(u64) + ALIGN(frame, TWIN_LINK_ALIGN);
}

/* Bytes of @out that the peer has not emptied; the whole ring when what it says cannot be. */
static u32 used(struct twin_link *link)
{
	/* what they have copied may be overwritten */
	u32 bytes = link->produced - smp_load_acquire(&link->theirs->consumed);

	if (bytes <= link->agreed.ring_bytes)
		return bytes;
	link->counters.refused_index++;
	return link->agreed.ring_bytes;
}

/** twin_link_room() - is there room for a frame of this length? */
bool twin_link_room(struct twin_link *link, u32 bytes)
{
	return link->agreed.ring_bytes - used(link) >= record_bytes(bytes);
}

/** twin_link_put() - copy a frame into the ring; there is room, and no more than TWIN_LINK_FRAME_MAX bytes */
void twin_link_put(struct twin_link *link, struct sk_buff *skb)
{
	u32 size = link->agreed.ring_bytes, at = link->produced & (size - 1), first;
	u64 word = TWIN_LINK_WORD(skb->len, 0, 0);

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		word = TWIN_LINK_WORD(skb->len, skb_checksum_start_offset(skb), skb->csum_offset);
	WRITE_ONCE(*(u64 *)(link->out + at), word);
	at = (at + sizeof(word)) & (size - 1);
	first = min(skb->len, size - at);
	skb_copy_bits(skb, 0, link->out + at, first);
	skb_copy_bits(skb, first, link->out, skb->len - first);
	link->produced += record_bytes(skb->len);
	smp_store_release(&link->mine->produced, link->produced);	/* after the frame */
}

static bool has_apic_id(const struct cpumask *cpus, u32 apic_id)
{
	unsigned int cpu;
	u32 id;

	for_each_cpu(cpu, cpus)
		if (!twin_cpu_apic_id(cpu, &id) && id == apic_id)
			return true;
	return false;
}

/* An instance has what it was given; of the parent only what it cannot have is known: what runs this kernel. */
static bool may_be_the_peers(const struct twin_link *link, u32 apic_id)
{
	return link->peers ? has_apic_id(link->peers, apic_id) : !has_apic_id(cpu_online_mask, apic_id);
}

/** twin_link_call() - ring the peer, if it says where, and one of its processors can be there */
void twin_link_call(struct twin_link *link)
{
	u64 address = READ_ONCE(link->theirs->doorbell);

	if (!address)
		return;
	if (!may_be_the_peers(link, address >> 32) || !twin_doorbell_valid(address)) {
		link->counters.refused_doorbell++;
		return;
	}
	link->counters.rings++;
	twin_doorbell_ring(address);
}

/** twin_link_announce() - after one or more frames: does the peer want to be rung for them? */
bool twin_link_announce(struct twin_link *link)
{
	u32 from = link->announced;

	link->announced = link->produced;
	smp_mb();	/* what was produced, before whether it is waited for; the peer does the reverse */
	return READ_ONCE(link->theirs->armed) - from < link->produced - from;
}

/** twin_link_pending() - has the peer produced what was not consumed? */
bool twin_link_pending(const struct twin_link *link)
{
	return ALIGN_DOWN(READ_ONCE(link->theirs->produced), TWIN_LINK_ALIGN) != link->consumed;
}

static void copy(const struct twin_link *link, struct sk_buff *skb, u32 from)
{
	u32 size = link->agreed.ring_bytes, at = from & (size - 1), first = min(skb->len, size - at);

	skb_store_bits(skb, 0, link->in + at, first);
	skb_store_bits(skb, first, link->in, skb->len - first);
}

static struct sk_buff *allocate(struct twin_link *link, u32 bytes)
{
	struct sk_buff *skb;
	int err;

	if (bytes <= SMALL_BYTES) {
		skb = napi_alloc_skb(&link->napi, bytes);
		return skb ? skb_put(skb, bytes), skb : NULL;
	}
	skb = alloc_skb_with_frags(NET_SKB_PAD + NET_IP_ALIGN + LINEAR_BYTES, bytes - LINEAR_BYTES, PAGE_ALLOC_COSTLY_ORDER,
				   &err, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD + NET_IP_ALIGN);
	skb_put(skb, LINEAR_BYTES);
	skb->data_len = bytes - LINEAR_BYTES;
	skb->len += skb->data_len;
	return skb;
}

/**
 * twin_link_take() - the next frame of the peer's, copied
 * @link: under its rx_lock
 *
 * What makes no sense ends the ring: it goes on from where the peer says that it is. A frame whose checksum lies outside
 * of it is dropped alone.
 *
 * Return: a frame as the peer sent it, with its link-layer header, or NULL: none, or none that there is memory for.
 */
struct sk_buff *twin_link_take(struct twin_link *link)
{
	u32 size = link->agreed.ring_bytes, produced, filled, bytes;
	u16 start, offset;
	struct sk_buff *skb;
	u64 word;

	produced = smp_load_acquire(&link->theirs->produced);	/* with the frames */
	filled = ALIGN_DOWN(produced, TWIN_LINK_ALIGN) - link->consumed;
	if (!filled)
		return NULL;
	if (filled > size || !IS_ALIGNED(produced, TWIN_LINK_ALIGN)) {
		link->counters.refused_index++;
		link->consumed = ALIGN_DOWN(produced, TWIN_LINK_ALIGN);
		return NULL;
	}
	word = READ_ONCE(*(const u64 *)(link->in + (link->consumed & (size - 1))));
	bytes = (u32)word;
	start = word >> 32;
	offset = word >> 48;
	if (bytes < ETH_HLEN || bytes > TWIN_LINK_FRAME_MAX || record_bytes(bytes) > filled) {
		link->counters.refused_length++;
		link->consumed = produced;
		return NULL;
	}
	skb = allocate(link, bytes);
	if (!skb)
		link->counters.rx_no_memory++;
	else
		copy(link, skb, link->consumed + sizeof(word));
	link->consumed += record_bytes(bytes);
	if (skb && start && (start < CHECKSUM_MIN || !skb_partial_csum_set(skb, start, offset))) {
		link->counters.refused_checksum++;
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}
