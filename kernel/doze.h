/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TWIN_DOZE_H
#define TWIN_DOZE_H

#include <linux/types.h>
#include <asm/desc.h>

struct twin_doze {
	bool possible;
	bool deadline;
	u32 priority, timer, divisor;	/* the local APIC's registers as they were */
	struct desc_ptr idt;
};

void twin_doze_begin(struct twin_doze *doze);
void twin_doze(const struct twin_doze *doze);
void twin_doze_end(const struct twin_doze *doze);

#endif
