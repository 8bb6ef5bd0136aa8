// DPDK's mempool and ring, timed as the bench times pagepool: samples of 1,024 operations until the time is over.
//
// Reads lines "CASE MILLISECONDS" and answers each with one line of JSON: nanoseconds of one operation. One thread, one lcore
// that may run on any core; no huge pages, so that memory is as a JavaScript program has it.

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_version.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	OPERATIONS = 1024,
	BURST = 64,
	BATCH = 32,
	OBJECTS = 8191,
	OBJECT_BYTES = 2048,
	CACHE_OBJECTS = 256,
	RING_SLOTS = 256,
	ENTRY_BYTES = 16,
	SAMPLES_MAX = 1 << 20,
};

static struct rte_mempool *objects;
static struct rte_mempool *buffers;
static struct rte_ring *pointers;
static struct rte_ring *entries;
static volatile uintptr_t sink;

static void read_all(void *const *items, unsigned int count)
{
	uintptr_t sum = sink;
	for (unsigned int i = 0; i < count; i++)
		sum += (uintptr_t)items[i];
	sink = sum;
}

static void must(int is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static void mempool_pair(void)
{
	void *object;
	for (int i = 0; i < OPERATIONS; i++) {
		must(rte_mempool_get(objects, &object) == 0, "rte_mempool_get");
		rte_mempool_put(objects, object);
	}
}

/* As a program that holds several: one at a time, taken first and returned afterwards. */
static void mempool_held(void)
{
	void *held[BURST];
	for (int i = 0; i < OPERATIONS; i += BURST) {
		for (int k = 0; k < BURST; k++)
			must(rte_mempool_get(objects, &held[k]) == 0, "rte_mempool_get");
		read_all(held, BURST);
		for (int k = 0; k < BURST; k++)
			rte_mempool_put(objects, held[k]);
	}
}

static void mempool_bulk(void)
{
	void *burst[BURST];
	for (int i = 0; i < OPERATIONS; i += BURST) {
		must(rte_mempool_get_bulk(objects, burst, BURST) == 0, "rte_mempool_get_bulk");
		read_all(burst, BURST);
		rte_mempool_put_bulk(objects, burst, BURST);
	}
}

static void mbuf_pair(void)
{
	for (int i = 0; i < OPERATIONS; i++) {
		struct rte_mbuf *buffer = rte_pktmbuf_alloc(buffers);
		must(buffer != NULL, "rte_pktmbuf_alloc");
		rte_pktmbuf_free(buffer);
	}
}

static void ring_pair(void)
{
	void *item = pointers;
	for (int i = 0; i < OPERATIONS; i++) {
		must(rte_ring_mp_enqueue(pointers, item) == 0, "rte_ring_mp_enqueue");
		must(rte_ring_mc_dequeue(pointers, &item) == 0, "rte_ring_mc_dequeue");
		read_all(&item, 1);
	}
}

static void ring16_pair(void)
{
	uint64_t entry[ENTRY_BYTES / sizeof(uint64_t)] = {1, 2};
	for (int i = 0; i < OPERATIONS; i++) {
		must(rte_ring_mp_enqueue_elem(entries, entry, ENTRY_BYTES) == 0, "rte_ring_mp_enqueue_elem");
		must(rte_ring_mc_dequeue_elem(entries, entry, ENTRY_BYTES) == 0, "rte_ring_mc_dequeue_elem");
		sink += entry[0];
	}
}

static void ring_bulk(void)
{
	void *burst[BATCH];
	memset(burst, 0, sizeof(burst));
	for (int i = 0; i < OPERATIONS; i += BATCH) {
		must(rte_ring_mp_enqueue_bulk(pointers, burst, BATCH, NULL) == BATCH, "rte_ring_mp_enqueue_bulk");
		must(rte_ring_mc_dequeue_bulk(pointers, burst, BATCH, NULL) == BATCH, "rte_ring_mc_dequeue_bulk");
		read_all(burst, BATCH);
	}
}

static void ring16_bulk(void)
{
	uint64_t burst[BATCH][ENTRY_BYTES / sizeof(uint64_t)];
	memset(burst, 0, sizeof(burst));
	for (int i = 0; i < OPERATIONS; i += BATCH) {
		must(rte_ring_mp_enqueue_bulk_elem(entries, burst, ENTRY_BYTES, BATCH, NULL) == BATCH, "enqueue_bulk_elem");
		must(rte_ring_mc_dequeue_bulk_elem(entries, burst, ENTRY_BYTES, BATCH, NULL) == BATCH, "dequeue_bulk_elem");
		for (int k = 0; k < BATCH; k++)
			sink += burst[k][0];
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"mempool", mempool_pair}, {"mempool-held", mempool_held}, {"mempool-bulk", mempool_bulk}, {"mbuf", mbuf_pair},
	{"ring", ring_pair},       {"ring16", ring16_pair},        {"ring-bulk", ring_bulk},       {"ring16-bulk", ring16_bulk},
};

static uint64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void time_case(void (*run)(void), const char *name, double milliseconds)
{
	static double samples[SAMPLES_MAX];
	unsigned int count = 0;
	uint64_t warm = now_ns() + (uint64_t)(milliseconds * 1e5);
	while (now_ns() < warm)
		run();
	uint64_t end = now_ns() + (uint64_t)(milliseconds * 1e6);
	uint64_t before;
	do {
		before = now_ns();
		run();
		samples[count++] = (double)(now_ns() - before) / OPERATIONS;
	} while (before < end && count < SAMPLES_MAX);
	qsort(samples, count, sizeof(samples[0]), compare);
	printf("{\"case\":\"%s\",\"median\":%.4f,\"p99\":%.4f,\"samples\":%u}\n", name, samples[count / 2],
	       samples[count * 99ull / 100], count);
	fflush(stdout);
}

static void make_pools(void)
{
	objects = rte_mempool_create("objects", OBJECTS, OBJECT_BYTES, CACHE_OBJECTS, 0, NULL, NULL, NULL, NULL, SOCKET_ID_ANY, 0);
	must(objects != NULL, "rte_mempool_create");
	buffers = rte_pktmbuf_pool_create("buffers", OBJECTS, CACHE_OBJECTS, 0, OBJECT_BYTES, SOCKET_ID_ANY);
	must(buffers != NULL, "rte_pktmbuf_pool_create");
	pointers = rte_ring_create("pointers", RING_SLOTS, SOCKET_ID_ANY, 0);
	must(pointers != NULL, "rte_ring_create");
	entries = rte_ring_create_elem("entries", ENTRY_BYTES, RING_SLOTS, SOCKET_ID_ANY, 0);
	must(entries != NULL, "rte_ring_create_elem");
}

int main(int argc, char **argv)
{
	if (rte_eal_init(argc, argv) < 0)
		return 1;
	make_pools();
	printf("{\"version\":\"%s\"}\n", rte_version());
	fflush(stdout);
	char line[64], name[32];
	double milliseconds;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "%31s %lf", name, &milliseconds) != 2)
			return 2;
		unsigned int i = 0;
		while (i < RTE_DIM(cases) && strcmp(cases[i].name, name) != 0)
			i++;
		if (i == RTE_DIM(cases))
			return 3;
		time_case(cases[i].run, name, milliseconds);
	}
	return rte_eal_cleanup();
}
