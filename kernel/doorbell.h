/* SPDX-License-Identifier: GPL-2.0 */
/* The doorbell: an interrupt of this kernel that the other one can raise, and the other one's. */
#ifndef TWIN_DOORBELL_H
#define TWIN_DOORBELL_H

#include "twin.h"

void twin_doorbell_init(void);
void twin_doorbell_exit(void);
u64 twin_doorbell_address(void);
bool twin_doorbell_valid(u64 address);
void twin_doorbell_ring(u64 address);
u32 twin_doorbell_count(void);
bool twin_doorbell_wait(u32 seen, ktime_t timeout);

#endif
