/* SPDX-License-Identifier: GPL-2.0 */
/* Memory that was reserved at boot for slots. */
#ifndef TWIN_RESERVED_H
#define TWIN_RESERVED_H

#include "twin.h"

int twin_reserved_init(void);
bool twin_reserved_range(unsigned int index, u64 *start, u64 *bytes);
bool twin_reserved_has(u64 start, u64 bytes);

#endif
