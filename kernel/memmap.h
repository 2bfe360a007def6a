/* SPDX-License-Identifier: GPL-2.0 */
/* Which memory of the machine is this kernel's: System RAM, pieces held back until adopted, the rest. */
#ifndef TWIN_MEMMAP_H
#define TWIN_MEMMAP_H

#include "twin.h"

void twin_memmap_init(void);
int twin_memmap_firmware(struct twinkernel_range *ranges, u32 room);
int twin_memmap_list(struct twinkernel_range *ranges, u32 room);
u32 twin_memmap_flags(u64 at, u64 limit, u64 *end);
void twin_memmap_forget_held(u64 start, u64 bytes);
bool twin_memmap_is_ram(u64 start, u64 bytes);
bool twin_memmap_is_crash_region(u64 start, u64 bytes);

#endif
