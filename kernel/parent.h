/* SPDX-License-Identifier: GPL-2.0 */
/* The parent: what an instance tells it, learns from it, and when it is gone. */
#ifndef TWIN_PARENT_H
#define TWIN_PARENT_H

#include "twin.h"

struct twin_control;

int twin_parent_attach(u64 control);
void twin_parent_detach(void);
void twin_parent_announce(void);

const struct twin_control *twin_parent_mapped(void);
struct twin_control *twin_parent_control(void);
u64 twin_parent_control_address(void);
u64 twin_parent_beat(void);
u32 twin_parent_query_flags(void);
bool twin_parent_committed(void);
bool twin_parent_parked(void);
bool twin_parent_use_cpu(u32 apic_id, bool use);
bool twin_parent_use_function(u32 bus, u32 devfn, bool use);
bool twin_parent_use_memory(u64 start, u64 bytes, bool use);
void twin_parent_beat_up(void);
void twin_parent_publish(u32 state);
void twin_parent_forget(void);

int twin_parent_ready(struct twinkernel_ready *ready);
int twin_parent_wait_parked(struct twinkernel_wait_parked *wait);
int twin_parent_connections(struct twinkernel_connections *list);
int twin_parent_return(struct twinkernel_return *request);

#endif
