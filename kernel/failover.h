/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TWIN_FAILOVER_H
#define TWIN_FAILOVER_H

struct twin_instance;
struct twinkernel_arm;

void twin_failover_init(void);
void twin_failover_exit(void);
void twin_failover_disarm(const struct twin_instance *instance);
int twin_failover_arm(struct twinkernel_arm *arm);

#endif
