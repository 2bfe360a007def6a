/* SPDX-License-Identifier: GPL-2.0 */
/* link.c: two kernels that talk over twin0, for the tests and the benchmark. */
#ifndef LINK_PEER_H
#define LINK_PEER_H

#include <netinet/in.h>
#include <sys/types.h>
#include "twintest.h"

#define NEW_ADDRESS	"10.77.0.2"	/* the launched kernel's; it answers datagrams at ECHO_PORT */
#define ECHO_PORT	7

struct sockaddr_in ip_address(const char *address, int port);
pid_t start_server(const char *address);
uint32_t launch_linked(struct claimed *claimed, const char *name);
void tell(uint32_t instance, const char *what);
void obey(pid_t flood);
int by_value(const void *a, const void *b);

#endif
