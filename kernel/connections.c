// SPDX-License-Identifier: GPL-2.0
/*
 * The TCP connections of the first network namespace at the moment of the park. An earlier list lacks the youngest: one that
 * was acknowledged to its other end and is in no list would be waited on for as long as that has patience.
 */
#include "connections.h"
#include <linux/in.h>
#include <net/inet_hashtables.h>
#include <net/net_namespace.h>
#include <net/tcp_states.h>

/* In these the other end may wait for something that this one has, or will not notice that it is gone. */
#define WAITED_ON	(TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_CLOSE_WAIT | TCPF_LAST_ACK | TCPF_CLOSING | TCPF_NEW_SYN_RECV)

/**
 * twin_connections_list() - IPv4 connections with other hosts that are waited on
 * @into: gets them
 * @capacity: how many fit
 *
 * Context: nothing else runs (stop_machine()); takes no lock.
 * Return: how many there are in @into; what does not fit is left out.
 */
u32 twin_connections_list(struct twinkernel_connection *into, u32 capacity)
{
	const struct inet_hashinfo *table = init_net.ipv4.tcp_death_row.hashinfo;
	u32 count = 0;

	for (u32 i = 0; i <= table->ehash_mask; i++) {
		const struct hlist_nulls_node *node;
		const struct sock *sk;

		sk_nulls_for_each(sk, node, &table->ehash[i].chain) {
			/* A socket of IPv6 has them too, if the connection is of IPv4; otherwise a loopback address. */
			if (!net_eq(sock_net(sk), &init_net) || !(1 << sk->sk_state & WAITED_ON) || ipv4_is_loopback(sk->sk_daddr))
				continue;
			if (count == capacity)
				return count;
			into[count++] = (struct twinkernel_connection) {
				.local = sk->sk_rcv_saddr, .remote = sk->sk_daddr,
				.local_port = htons(sk->sk_num), .remote_port = sk->sk_dport,
			};
		}
	}
	return count;
}
