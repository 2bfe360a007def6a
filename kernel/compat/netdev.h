/* SPDX-License-Identifier: GPL-2.0 */
/* The network core: NAPI's weight is an argument before 6.1. */
#ifndef TWIN_COMPAT_NETDEV_H
#define TWIN_COMPAT_NETDEV_H

#include <linux/netdevice.h>
#include <linux/version.h>

static inline void twin_napi_add(struct net_device *netdev, struct napi_struct *napi, int (*poll)(struct napi_struct *, int))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
	netif_napi_add(netdev, napi, poll);
#else
	netif_napi_add(netdev, napi, poll, NAPI_POLL_WEIGHT);
#endif
}

#endif
