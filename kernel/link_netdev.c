// SPDX-License-Identifier: GPL-2.0
/*
 * The network interface over a link. Its name tells the other end: twin0 leads to the parent, twinN to instance N. NAPI
 * runs when the peer rings, and on every heartbeat: then it also writes anew what this side says, should the peer have
 * overwritten it, and sees to a queue that was stopped. A peer that takes nothing for a second loses frames instead of
 * holding up whoever sends them.
 */
#include "twin.h"
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include "compat/netdev.h"
#include "link.h"

#define MTU_DEFAULT	65520
#define HEADERS		(ETH_HLEN + 4)		/* with a VLAN tag */
#define STOPPED_MAX	HZ

static u32 largest_frame(const struct net_device *netdev)
{
	return READ_ONCE(netdev->mtu) + HEADERS;
}

static void stop_when_full(struct twin_link *link)
{
	if (likely(twin_link_room(link, largest_frame(link->netdev))))
		return;
	netif_stop_queue(link->netdev);
	link->stopped_at = jiffies;
	WRITE_ONCE(link->mine->hungry, 1);
	smp_mb();	/* that this side waits, before whether it has to; the peer does the reverse */
	if (twin_link_room(link, largest_frame(link->netdev)))
		netif_start_queue(link->netdev);
}

static netdev_tx_t transmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct twin_link *link = netdev_priv(netdev);

	if (link->gone || skb->len > TWIN_LINK_FRAME_MAX || !twin_link_room(link, skb->len)) {
		link->counters.tx_dropped++;
		dev_kfree_skb_any(skb);
		return NETDEV_TX_OK;
	}
	twin_link_put(link, skb);
	link->counters.tx_packets++;
	link->counters.tx_bytes += skb->len;
	skb_tx_timestamp(skb);
	stop_when_full(link);
	if ((!netdev_xmit_more() || netif_queue_stopped(netdev)) && twin_link_announce(link))
		twin_link_call(link);
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

/* At most @budget frames into @frames; the peer is to ring when there are more than those. Returns how many were looked at. */
static int receive(struct twin_link *link, int budget, struct list_head *frames)
{
	struct sk_buff *skb;
	int done = 0;

	lockdep_assert_held(&link->rx_lock);
	do {
		for (; done < budget && twin_link_pending(link); done++) {
			skb = twin_link_take(link);
			smp_store_release(&link->mine->consumed, link->consumed);	/* after the copy: used() */
			if (!skb)
				continue;
			link->counters.rx_packets++;
			link->counters.rx_bytes += skb->len;
			skb->protocol = eth_type_trans(skb, link->netdev);
			list_add_tail(&skb->list, frames);
		}
		WRITE_ONCE(link->mine->consumed, link->consumed);
		WRITE_ONCE(link->mine->armed, link->consumed);
		smp_mb();	/* that this side waits, before whether it has to; twin_link_announce() does the reverse */
	} while (done < budget && twin_link_pending(link));
	if (READ_ONCE(link->theirs->hungry))
		twin_link_call(link);
	return done;
}

static void look_after_queue(struct twin_link *link)
{
	struct net_device *netdev = link->netdev;
	struct netdev_queue *queue = netdev_get_tx_queue(netdev, 0);
	bool stopped;

	__netif_tx_lock(queue, smp_processor_id());
	if (!link->gone) {
		stopped = netif_queue_stopped(netdev);
		if (stopped && (twin_link_room(link, largest_frame(netdev)) ||
				time_after(jiffies, link->stopped_at + STOPPED_MAX))) {
			netif_wake_queue(netdev);
			stopped = false;
		}
		smp_store_release(&link->mine->produced, link->produced);	/* after the frames */
		WRITE_ONCE(link->mine->hungry, stopped);
	}
	__netif_tx_unlock(queue);
}

static int poll(struct napi_struct *napi, int budget)
{
	struct twin_link *link = container_of(napi, struct twin_link, napi);
	LIST_HEAD(frames);
	int done = 0;

	spin_lock(&link->rx_lock);
	if (!link->gone)
		done = receive(link, budget, &frames);
	spin_unlock(&link->rx_lock);
	look_after_queue(link);
	netif_receive_skb_list(&frames);
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

static void publish_state(struct twin_link *link, bool up)
{
	spin_lock_bh(&link->rx_lock);
	WRITE_ONCE(link->up, up);
	if (!link->gone)
		WRITE_ONCE(link->mine->state, up ? TWIN_LINK_UP : 0);
	spin_unlock_bh(&link->rx_lock);
}

static int open(struct net_device *netdev)
{
	struct twin_link *link = netdev_priv(netdev);

	napi_enable(&link->napi);
	netif_start_queue(netdev);
	publish_state(link, true);
	return 0;
}

static int stop(struct net_device *netdev)
{
	struct twin_link *link = netdev_priv(netdev);

	publish_state(link, false);
	netif_carrier_off(netdev);
	netif_stop_queue(netdev);
	napi_disable(&link->napi);
	return 0;
}

static void get_stats(struct net_device *netdev, struct rtnl_link_stats64 *stats)
{
	const struct twin_link_counters *counters = &((struct twin_link *)netdev_priv(netdev))->counters;

	stats->rx_packets = READ_ONCE(counters->rx_packets);
	stats->rx_bytes = READ_ONCE(counters->rx_bytes);
	stats->rx_dropped = READ_ONCE(counters->rx_no_memory);
	stats->rx_errors = READ_ONCE(counters->refused_index) + READ_ONCE(counters->refused_length) +
			   READ_ONCE(counters->refused_checksum);
	stats->tx_packets = READ_ONCE(counters->tx_packets);
	stats->tx_bytes = READ_ONCE(counters->tx_bytes);
	stats->tx_dropped = READ_ONCE(counters->tx_dropped);
}

static const struct net_device_ops operations = {
	.ndo_open = open,
	.ndo_stop = stop,
	.ndo_start_xmit = transmit,
	.ndo_get_stats64 = get_stats,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static const char counter_names[][ETH_GSTRING_LEN] = {
#define NAME(name) #name,
	TWIN_LINK_COUNTERS(NAME)
#undef NAME
};

static void get_driver(struct net_device *netdev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "twinkernel", sizeof(info->driver));
}

static int get_counter_count(struct net_device *netdev, int set)
{
	return set == ETH_SS_STATS ? ARRAY_SIZE(counter_names) : -EOPNOTSUPP;
}

static void get_counter_names(struct net_device *netdev, u32 set, u8 *names)
{
	if (set == ETH_SS_STATS)
		memcpy(names, counter_names, sizeof(counter_names));
}

static void get_counters(struct net_device *netdev, struct ethtool_stats *stats, u64 *values)
{
	const struct twin_link *link = netdev_priv(netdev);

	static_assert(sizeof(link->counters) == ARRAY_SIZE(counter_names) * sizeof(u64));
	memcpy(values, &link->counters, sizeof(link->counters));
}

static const struct ethtool_ops ethtool_operations = {
	.get_drvinfo = get_driver,
	.get_link = ethtool_op_get_link,
	.get_sset_count = get_counter_count,
	.get_strings = get_counter_names,
	.get_ethtool_stats = get_counters,
};

static void setup(struct net_device *netdev)
{
	ether_setup(netdev);
	netdev->netdev_ops = &operations;
	netdev->ethtool_ops = &ethtool_operations;
	netdev->features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA;
	netdev->hw_features = NETIF_F_SG | NETIF_F_HW_CSUM;
	netdev->mtu = MTU_DEFAULT;
	netdev->max_mtu = ETH_MAX_MTU;
	eth_hw_addr_random(netdev);
}

/** twin_link_netdev_allocate() - a link that nobody sees yet; NULL when there is no memory for it */
struct twin_link *twin_link_netdev_allocate(u32 id)
{
	struct net_device *netdev;
	struct twin_link *link;
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "twin%u", id);
	netdev = alloc_netdev(sizeof(*link), name, NET_NAME_PREDICTABLE, setup);
	if (!netdev)
		return NULL;
	link = netdev_priv(netdev);
	link->netdev = netdev;
	link->id = id;
	INIT_LIST_HEAD(&link->list);
	spin_lock_init(&link->rx_lock);
	twin_napi_add(netdev, &link->napi, poll);
	return link;
}

/** twin_link_netdev_register() - show the interface; its area is in order */
int twin_link_netdev_register(struct twin_link *link)
{
	netif_carrier_off(link->netdev);
	return register_netdev(link->netdev);
}

/** twin_link_netdev_close() - when this returns, the area is not touched any more; quick */
void twin_link_netdev_close(struct twin_link *link)
{
	struct netdev_queue *queue = netdev_get_tx_queue(link->netdev, 0);

	spin_lock_bh(&link->rx_lock);
	__netif_tx_lock(queue, smp_processor_id());
	link->gone = true;
	__netif_tx_unlock(queue);
	spin_unlock_bh(&link->rx_lock);
	netif_carrier_off(link->netdev);
}

/** twin_link_netdev_free() - the interface goes, after twin_link_netdev_close(); slow */
void twin_link_netdev_free(struct twin_link *link)
{
	if (link->netdev->reg_state == NETREG_REGISTERED)
		unregister_netdev(link->netdev);
	free_netdev(link->netdev);
}

/** twin_link_netdev_rung() - the peer may have something; interrupt context */
void twin_link_netdev_rung(struct twin_link *link)
{
	napi_schedule(&link->napi);
}

/** twin_link_netdev_beat() - once per heartbeat, interrupt context; @alive: the peer's end is up and lives */
void twin_link_netdev_beat(struct twin_link *link, bool alive)
{
	if (!READ_ONCE(link->up))
		return;
	if (alive != netif_carrier_ok(link->netdev)) {
		if (alive)
			netif_carrier_on(link->netdev);
		else
			netif_carrier_off(link->netdev);
	}
	if (napi_schedule_prep(&link->napi)) {
		link->counters.rescued += twin_link_pending(link);
		__napi_schedule(&link->napi);
	}
}
