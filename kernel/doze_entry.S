/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/linkage.h>
#include <asm/unwind_hints.h>
#include "compat/asm.h"

/* Interrupts a nap; doze.c does the rest with interrupts off. */
	.text
SYM_CODE_START(twin_doze_entry)
	UNWIND_HINT_IRET_REGS
	TWIN_ENDBR
	iretq
SYM_CODE_END(twin_doze_entry)
