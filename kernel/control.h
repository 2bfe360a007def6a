/* SPDX-License-Identifier: GPL-2.0 */
/* The control block: written by the parent before a launch, checked by the instance. */
#ifndef TWIN_CONTROL_BLOCK_H
#define TWIN_CONTROL_BLOCK_H

#include "twin.h"

struct twin_control;
struct twin_slot;

void twin_control_write(struct twin_control *control, const struct twin_slot *slot, const struct twinkernel_launch *launch);
u32 twin_control_give_cpu(struct twin_control *control, u32 apic_id, u32 entries);
int twin_control_take_cpu(struct twin_control *control, u32 apic_id, u32 entries);
void twin_control_give_function(struct twin_control *control, u32 index, u32 word);
bool twin_control_take_function(struct twin_control *control, u32 index, u32 word);
void twin_control_give_memory(struct twin_control *control, u32 index, u64 word);
bool twin_control_take_memory(struct twin_control *control, u32 index, u64 word);
void twin_control_publish_parked(struct twin_control *control);
bool twin_control_constant(const struct twin_control *control);
int twin_control_check(const struct twin_control *control, u64 address);

#endif
