/* SPDX-License-Identifier: GPL-2.0 */
/* Real-mode code that a reset processor runs. */
#ifndef TWIN_TRAMPOLINE_H
#define TWIN_TRAMPOLINE_H

#include "twin.h"

/**
 * struct twin_start - where a processor is to go
 * @entry: 64-bit entry point
 * @boot_params: for RSI
 * @page_table: for CR3; maps the trampoline page and @entry one to one
 */
struct twin_start {
	u64 entry;
	u64 boot_params;
	u64 page_table;
};

const u32 *twin_trampoline_start(u64 page, const struct twin_start *start);
const u32 *twin_trampoline_halt(u64 page);

#endif
