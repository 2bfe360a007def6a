/* SPDX-License-Identifier: GPL-2.0 */
/* Windows below 1 MiB: 64 KiB each, where an instance keeps the trampoline for its processors. */
#ifndef TWIN_WINDOW_H
#define TWIN_WINDOW_H

#include "twin.h"
#include <linux/sizes.h>

#define TWIN_WINDOW_BYTES SZ_64K
#define TWIN_WINDOW_ORDER 4

struct page;

bool twin_window_free(u64 start);
u64 twin_window_next(u64 start);
void twin_window_clear(u64 start);
u64 twin_window_allocate(struct page **pages);
void twin_window_return(struct page *pages);

#endif
