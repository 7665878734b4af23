// Runs the kernels on the CPU, so that their arithmetic can be tested without a device.
//
// What: the names that a CUDA compiler knows, and a launch that runs the threads of one block after
// another as fibres. A fibre leaves off where threads must wait for each other (`__syncthreads`, a
// warp's exchange) and goes on when all have come. Blocks run one after another.
// What it cannot show: races between blocks, memory that is not aligned, speed.

#define EMULATED
#define DEVICE inline
#define __shared__ static

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <tuple>
#include <ucontext.h>
#include <utility>
#include <vector>

struct Dim {
    unsigned x, y, z;
};
static Dim threadIdx, blockIdx, blockDim, gridDim;

static float __uint_as_float(unsigned x) {
    float y;
    std::memcpy(&y, &x, 4);
    return y;
}
static unsigned __float_as_uint(float x) {
    unsigned y;
    std::memcpy(&y, &x, 4);
    return y;
}

namespace emulator {

struct Meeting {
    unsigned come = 0, round = 0;
};
struct Fibre {
    ucontext_t context;
    std::vector<char> stack;
    Dim index;
    bool done;
};

static ucontext_t scheduler;
static std::vector<Fibre> fibres;
static std::vector<Meeting> warps;
static std::vector<float> exchanged;
static Meeting block;
static unsigned current;
static bool moved;
static void (*body)(void *);
static void *arguments;

inline void leave_off() {
    unsigned me = current;
    swapcontext(&fibres[me].context, &scheduler);
    current = me;
    threadIdx = fibres[me].index;
}

inline void meet(Meeting &meeting, unsigned all) {
    unsigned round = meeting.round;
    moved = true;
    if (++meeting.come == all) {
        meeting.come = 0;
        meeting.round++;
        return;
    }
    while (meeting.round == round) leave_off();
    moved = true;
}

static void run() {
    body(arguments);
    fibres[current].done = true;
    moved = true;
    swapcontext(&fibres[current].context, &scheduler);
}

inline void run_block() {
    unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    if (fibres.size() < threads) fibres.resize(threads);
    warps.assign((threads + 31) / 32, Meeting{});
    exchanged.assign(threads, 0.0f);
    block = Meeting{};
    for (unsigned i = 0; i < threads; i++) {
        Fibre &fibre = fibres[i];
        fibre.done = false;
        fibre.index = Dim{i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
        fibre.stack.resize(1 << 16);
        getcontext(&fibre.context);
        fibre.context.uc_stack.ss_sp = fibre.stack.data();
        fibre.context.uc_stack.ss_size = fibre.stack.size();
        makecontext(&fibre.context, run, 0);
    }
    for (unsigned left = threads; left > 0;) {
        moved = false;
        for (unsigned i = 0; i < threads; i++) {
            if (fibres[i].done) continue;
            current = i;
            threadIdx = fibres[i].index;
            swapcontext(&scheduler, &fibres[i].context);
            if (fibres[i].done) left--;
        }
        if (!moved) {
            std::fprintf(stderr, "emulator: threads wait for one that has left\n");
            std::abort();
        }
    }
}

template <class... A, std::size_t... I>
void launch(void (*kernel)(A...), const unsigned *sizes, void **values, std::index_sequence<I...>) {
    static std::mutex one_at_a_time;
    std::lock_guard<std::mutex> lock(one_at_a_time);
    auto call = [&] { kernel(*static_cast<std::remove_reference_t<A> *>(values[I])...); };
    gridDim = Dim{sizes[0], sizes[1], sizes[2]};
    blockDim = Dim{sizes[3], sizes[4], sizes[5]};
    body = [](void *pointer) { (*static_cast<std::remove_reference_t<decltype(call)> *>(pointer))(); };
    arguments = &call;
    for (unsigned z = 0; z < sizes[2]; z++)
        for (unsigned y = 0; y < sizes[1]; y++)
            for (unsigned x = 0; x < sizes[0]; x++) {
                blockIdx = Dim{x, y, z};
                run_block();
            }
}

template <class... A> void launch(void (*kernel)(A...), const unsigned *sizes, void **values) {
    launch(kernel, sizes, values, std::index_sequence_for<A...>());
}

} // namespace emulator

inline void __syncthreads() { emulator::meet(emulator::block, blockDim.x * blockDim.y * blockDim.z); }

inline float __shfl_xor_sync(unsigned, float x, int lanes) {
    unsigned me = emulator::current;
    emulator::Meeting &warp = emulator::warps[me / 32];
    emulator::exchanged[me] = x;
    emulator::meet(warp, 32);
    float other = emulator::exchanged[me ^ lanes];
    emulator::meet(warp, 32);
    return other;
}

// sizes: grid and block, three numbers each; values: pointers to the arguments.
#define KERNEL(NAME, ...) \
    static void NAME##_body(__VA_ARGS__); \
    extern "C" void NAME(const unsigned *sizes, void **values) { emulator::launch(NAME##_body, sizes, values); } \
    static void NAME##_body(__VA_ARGS__)
