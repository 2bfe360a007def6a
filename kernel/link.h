/* SPDX-License-Identifier: GPL-2.0 */
/* Links: shared memory with a doorbell to another kernel, and the network interface over it. */
#ifndef TWIN_LINK_H
#define TWIN_LINK_H

#include "twin.h"
#include <linux/cpumask.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/workqueue.h>
#include "include/abi/link.h"

struct twin_node;

/*
 * What is counted, in this order wherever it is shown. rings: of the peer's doorbell, may miss one when two contexts ring
 * at once; rescued: the heartbeat found frames before a ring told of them; refused_*: what the peer wrote and nobody
 * acted upon.
 */
#define TWIN_LINK_COUNTERS(X)								\
	X(rx_packets) X(rx_bytes) X(rx_no_memory) X(tx_packets) X(tx_bytes) X(tx_dropped)	\
	X(rings) X(rescued)								\
	X(refused_header) X(refused_index) X(refused_length) X(refused_checksum) X(refused_doorbell)

struct twin_link_counters {
#define TWIN_LINK_MEMBER(name) u64 name;
	TWIN_LINK_COUNTERS(TWIN_LINK_MEMBER)
#undef TWIN_LINK_MEMBER
};

/**
 * struct twin_link - private to an interface; freed with it
 * @list: of links; under the list's lock, off it when removed
 * @id: of the instance at the other end, 0: the parent
 * @start: of the area, physical
 * @bytes: of the area
 * @peers: this kernel's processors that the other end has; NULL: the other end is the parent
 * @area: mapped
 * @agreed: the header as it must stay
 * @mine: what this side writes; its own copies are @beat, @up, @produced, @consumed
 * @theirs: what the other side writes; not trusted
 * @out: ring that this side fills
 * @in: ring that it empties
 * @rx_lock: what is received against the removal; taken before the transmit lock
 * @gone: the area must not be touched; under both
 * @consumed: index into @in; under @rx_lock
 * @produced: index into @out; under the transmit lock
 * @announced: @produced when the peer was last told; under the transmit lock
 * @stopped_at: when the queue was stopped, in jiffies; under the transmit lock
 * @up: the interface is up
 * @beat: own heartbeat
 * @seen_beat: the peer's heartbeat last seen
 * @seen_at: and when
 * @counters: read as they are
 * @netdev: the interface
 * @napi: receives, and repairs what this side writes
 * @node: in sysfs; may be NULL
 * @removal: the slow rest of a removal
 */
struct twin_link {
	struct list_head list;
	u32 id;
	u64 start;
	u64 bytes;
	const struct cpumask *peers;
	struct twin_link_area *area;
	struct twin_link_header agreed;
	struct twin_link_side *mine;
	const struct twin_link_side *theirs;
	u8 *out;
	const u8 *in;
	spinlock_t rx_lock;
	bool gone;
	u32 consumed;
	u32 produced;
	u32 announced;
	unsigned long stopped_at;
	bool up;
	u64 beat;
	u64 seen_beat;
	ktime_t seen_at;
	struct twin_link_counters counters;
	struct net_device *netdev;
	struct napi_struct napi;
	struct twin_node *node;
	struct work_struct removal;
};

/* What sysfs shows of a link. */
struct twin_link_view {
	char name[IFNAMSIZ];
	u64 start;
	u64 bytes;
	bool carrier;
	struct twin_link_counters counters;
};

/* link.c: the life of links */
int twin_link_init(void);
void twin_link_exit(void);
int twin_link_create(u32 id, u64 start, u64 bytes, const struct cpumask *peers);
void twin_link_attach(u64 start, u64 bytes);
void twin_link_remove(u32 id);
bool twin_link_ring(u32 id);
bool twin_link_exists(u32 id);
void twin_link_rung(void);
void twin_link_beat(ktime_t now);
void twin_link_close_all(void);
bool twin_link_look(u32 id, struct twin_link_view *view);

/* link_ring.c: frames in and out of the rings */
bool twin_link_room(struct twin_link *link, u32 bytes);
void twin_link_put(struct twin_link *link, struct sk_buff *skb);
bool twin_link_announce(struct twin_link *link);
struct sk_buff *twin_link_take(struct twin_link *link);
bool twin_link_pending(const struct twin_link *link);
void twin_link_call(struct twin_link *link);

/* link_netdev.c: the interface */
struct twin_link *twin_link_netdev_allocate(u32 id);
int twin_link_netdev_register(struct twin_link *link);
void twin_link_netdev_close(struct twin_link *link);
void twin_link_netdev_free(struct twin_link *link);
void twin_link_netdev_rung(struct twin_link *link);
void twin_link_netdev_beat(struct twin_link *link, bool alive);

#endif
