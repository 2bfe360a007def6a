// SPDX-License-Identifier: GPL-2.0
/*
 * The life of links. The parent's end is made by the launch and removed with the instance, however that ends; the
 * instance's end is made when its module loads and removed by the commit. Its interface's carrier follows the peer: up
 * while the peer's interface is up, its heart beats and the header is what was agreed. A removal makes the area
 * untouchable at once; the interface, whose end takes the network core tens of milliseconds, goes later in a work.
 */
#include "twin.h"
#include <linux/io.h>
#include <linux/log2.h>
#include "doorbell.h"
#include "link.h"
#include "machine.h"
#include "sysfs.h"

#define SILENCE_MS	3000

static LIST_HEAD(links);		/* changes under twin_lock and links_lock */
static DEFINE_SPINLOCK(links_lock);	/* for the doorbell and the heartbeat */
static bool closed;			/* this kernel has panicked */
static struct workqueue_struct *removals;

static struct twin_link *find(u32 id)
{
	struct twin_link *link;

	lockdep_assert_held(&links_lock);
	list_for_each_entry(link, &links, list)
		if (link->id == id)
			return link;
	return NULL;
}

static void remove_slowly(struct work_struct *work)
{
	struct twin_link *link = container_of(work, struct twin_link, removal);

	memunmap(link->area);
	twin_link_netdev_free(link);
}

static u32 ring_bytes(u64 bytes)
{
	return rounddown_pow_of_two((bytes - TWIN_LINK_RINGS) / 2);
}

static void divide(struct twin_link *link, bool child)
{
	u8 *to_child = (u8 *)link->area + TWIN_LINK_RINGS, *to_parent = to_child + link->agreed.ring_bytes;

	link->mine = child ? &link->area->child : &link->area->parent;
	link->theirs = child ? &link->area->parent : &link->area->child;
	link->out = child ? to_parent : to_child;
	link->in = child ? to_child : to_parent;
}

static struct twin_link *map(u32 id, u64 start, u64 bytes)
{
	struct twin_link *link = twin_link_netdev_allocate(id);

	if (!link)
		return NULL;
	INIT_WORK(&link->removal, remove_slowly);
	link->start = start;
	link->bytes = bytes;
	link->seen_at = ktime_get();
	link->area = memremap(start, bytes, MEMREMAP_WB);
	if (link->area)
		return link;
	twin_link_netdev_free(link);
	return NULL;
}

static int show(struct twin_link *link)
{
	unsigned long flags;
	int err = twin_link_netdev_register(link);

	lockdep_assert_held(&twin_lock);
	if (err) {
		memunmap(link->area);
		twin_link_netdev_free(link);
		return err;
	}
	spin_lock_irqsave(&links_lock, flags);
	list_add_tail(&link->list, &links);
	spin_unlock_irqrestore(&links_lock, flags);
	link->node = twin_sysfs_add_link(link->id);
	return 0;
}

/**
 * twin_link_create() - the parent's end of a link to an instance that does not run yet
 * @id: the instance
 * @start: of the area: physical, page aligned, in its slot
 * @bytes: at least TWINKERNEL_LINK_BYTES_MIN
 * @peers: processors that the instance has been given, now and later
 *
 * Return: 0, -ENOMEM, or what a network interface may fail with.
 */
int twin_link_create(u32 id, u64 start, u64 bytes, const struct cpumask *peers)
{
	struct twin_link *link = map(id, start, bytes);

	if (!link)
		return -ENOMEM;
	memset(link->area, 0, TWIN_LINK_RINGS);
	link->peers = peers;
	link->agreed = (struct twin_link_header){
		.magic = TWIN_LINK_MAGIC, .version = TWIN_LINK_VERSION, .rings = TWIN_LINK_RINGS,
		.generation = twin_machine.generation + 1, .ring_bytes = ring_bytes(bytes), .frame_max = TWIN_LINK_FRAME_MAX,
	};
	link->area->header = link->agreed;
	divide(link, false);
	return show(link);
}

static bool agreeable(const struct twin_link_header *header, u64 bytes)
{
	return header->magic == TWIN_LINK_MAGIC && header->version == TWIN_LINK_VERSION && header->rings == TWIN_LINK_RINGS &&
	       header->generation == twin_machine.generation && header->ring_bytes == ring_bytes(bytes) &&
	       header->frame_max == TWIN_LINK_FRAME_MAX;
}

static int attach(u64 start, u64 bytes)
{
	u64 slot = twin_machine.slot_start, slot_bytes = twin_machine.slot_bytes;
	struct twin_link *link;

	if (!PAGE_ALIGNED(start) || bytes < TWINKERNEL_LINK_BYTES_MIN || bytes > slot_bytes || start < slot ||
	    start - slot > slot_bytes - bytes)
		return -EPROTO;
	link = map(0, start, bytes);
	if (!link)
		return -ENOMEM;
	link->agreed = link->area->header;
	if (!agreeable(&link->agreed, bytes)) {
		memunmap(link->area);
		twin_link_netdev_free(link);
		return -EPROTO;
	}
	divide(link, true);
	return show(link);
}

/** twin_link_attach() - the instance's end, where the control block says that it is; without it all else works */
void twin_link_attach(u64 start, u64 bytes)
{
	int err;

	if (!start)
		return;
	mutex_lock(&twin_lock);
	err = attach(start, bytes);
	mutex_unlock(&twin_lock);
	if (err)
		pr_warn("no link of version %u at %#llx: %d\n", TWIN_LINK_VERSION, start, err);
}

/** twin_link_remove() - if there is a link: when this returns its area is not touched any more */
void twin_link_remove(u32 id)
{
	struct twin_link *link;
	unsigned long flags;

	lockdep_assert_held(&twin_lock);
	spin_lock_irqsave(&links_lock, flags);
	link = find(id);
	if (link)
		list_del(&link->list);
	spin_unlock_irqrestore(&links_lock, flags);
	if (!link)
		return;
	twin_link_netdev_close(link);
	twin_sysfs_remove(link->node);
	queue_work(removals, &link->removal);
}

/** twin_link_ring() - ring the peer, should there be a link; any context */
bool twin_link_ring(u32 id)
{
	struct twin_link *link;
	unsigned long flags;

	spin_lock_irqsave(&links_lock, flags);
	link = find(id);
	if (link)
		twin_link_call(link);
	spin_unlock_irqrestore(&links_lock, flags);
	return link;
}

/** twin_link_exists() - does a peer ring when it has sent something? */
bool twin_link_exists(u32 id)
{
	struct twin_link_view view;

	return twin_link_look(id, &view);
}

/** twin_link_rung() - somebody rang, nobody knows who; interrupt context */
void twin_link_rung(void)
{
	struct twin_link *link;
	unsigned long flags;

	spin_lock_irqsave(&links_lock, flags);
	list_for_each_entry(link, &links, list)
		twin_link_netdev_rung(link);
	spin_unlock_irqrestore(&links_lock, flags);
}

/* Is the header still what both agreed on? The one who writes it writes it again. */
static bool header_stands(struct twin_link *link)
{
	struct twin_link_header now = link->area->header;

	if (likely(!memcmp(&now, &link->agreed, sizeof(now))))
		return true;
	link->counters.refused_header++;
	if (link->peers)
		link->area->header = link->agreed;
	return false;
}

static void beat(struct twin_link *link, ktime_t now)
{
	bool stands = header_stands(link);
	u64 seen = READ_ONCE(link->theirs->beat);

	WRITE_ONCE(link->mine->beat, ++link->beat);
	WRITE_ONCE(link->mine->doorbell, twin_doorbell_address());
	WRITE_ONCE(link->mine->state, READ_ONCE(link->up) ? TWIN_LINK_UP : 0);
	if (seen != link->seen_beat) {
		link->seen_beat = seen;
		link->seen_at = now;
	}
	twin_link_netdev_beat(link, stands && READ_ONCE(link->theirs->state) == TWIN_LINK_UP && seen &&
			      ktime_ms_delta(now, link->seen_at) < SILENCE_MS);
}

/** twin_link_beat() - called by the heartbeat timer */
void twin_link_beat(ktime_t now)
{
	struct twin_link *link;
	unsigned long flags;

	spin_lock_irqsave(&links_lock, flags);
	if (!closed)
		list_for_each_entry(link, &links, list)
			beat(link, now);
	spin_unlock_irqrestore(&links_lock, flags);
}

/** twin_link_close_all() - this kernel has panicked: the peers shall know at once; as far as the lock can be had */
void twin_link_close_all(void)
{
	struct twin_link *link;
	unsigned long flags;

	if (!spin_trylock_irqsave(&links_lock, flags))
		return;
	closed = true;
	list_for_each_entry(link, &links, list)
		WRITE_ONCE(link->mine->state, 0);
	spin_unlock_irqrestore(&links_lock, flags);
}

/** twin_link_look() - describe a link, without twin_lock; false when there is none (any more) */
bool twin_link_look(u32 id, struct twin_link_view *view)
{
	struct twin_link *link;
	unsigned long flags;

	spin_lock_irqsave(&links_lock, flags);
	link = find(id);
	if (link) {
		strscpy_pad(view->name, link->netdev->name, sizeof(view->name));
		view->start = link->start;
		view->bytes = link->bytes;
		view->carrier = netif_carrier_ok(link->netdev);
		view->counters = link->counters;
	}
	spin_unlock_irqrestore(&links_lock, flags);
	return link;
}

int twin_link_init(void)
{
	removals = alloc_workqueue("twinkernel", WQ_UNBOUND, 0);
	if (!removals)
		return -ENOMEM;
	twin_doorbell_init();
	return 0;
}

/** twin_link_exit() - only without instances, and after the heartbeat has stopped */
void twin_link_exit(void)
{
	twin_doorbell_exit();
	destroy_workqueue(removals);
}
