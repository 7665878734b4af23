// What all kernels share. The files of this folder are compiled as one program, in the order of
// `compile.rs`, without any header; `emulator.h` stands in for the device in tests.
//
// Types: activations are float or bfloat16, everything is computed in float. Sizes arrive as 64-bit
// integers, pointers as they are, factors as float, so that the host cannot pass a wrong width.
// Order: no atomic operations; a sum is made of a number of parts that depends on the problem's size
// alone, added in a fixed order, so a kernel gives the same bits each time.

#ifndef EMULATED
#define DEVICE __device__ __forceinline__
#define KERNEL(NAME, ...) extern "C" __global__ void __launch_bounds__(256) NAME(__VA_ARGS__)
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

struct bf16 {
    u16 bits;
};

DEVICE float load(float x) { return x; }
DEVICE float load(bf16 x) { return __uint_as_float(u32(x.bits) << 16); }

template <class T> DEVICE T store(float x);
template <> DEVICE float store<float>(float x) { return x; }
// To the nearest, ties to even; a not-a-number stays one.
template <> DEVICE bf16 store<bf16>(float x) {
    u32 bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bf16{u16((bits >> 16) | 0x40u)};
    return bf16{u16((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

// V numbers that lie side by side and travel in one instruction.
template <class T, int V> struct alignas(sizeof(T) * V) Pack {
    T v[V];
};

template <int V, class T> DEVICE void read(float (&out)[V], const T *x) {
    Pack<T, V> pack = *reinterpret_cast<const Pack<T, V> *>(x);
    for (int k = 0; k < V; k++) out[k] = load(pack.v[k]);
}

template <int V, class T> DEVICE void write(T *y, const float (&x)[V]) {
    Pack<T, V> pack;
    for (int k = 0; k < V; k++) pack.v[k] = store<T>(x[k]);
    *reinterpret_cast<Pack<T, V> *>(y) = pack;
}

// One definition per type, alone and in packs of four.
#define PER_TYPE(X) X(f32, float, 1) X(f32x4, float, 4) X(bf16, bf16, 1) X(bf16x4, bf16, 4)
#define PER_SCALAR(X) X(f32, float) X(bf16, bf16)

struct Split {
    i64 quotient, remainder;
};

// Division of numbers that are not negative; in 32 bits where they fit, which is several times faster.
DEVICE Split split(i64 a, i64 b) {
    i64 quotient = ((a | b) >> 32) == 0 ? i64(u32(a) / u32(b)) : a / b;
    return Split{quotient, a - quotient * b};
}

DEVICE i64 thread_index() { return i64(blockIdx.x) * blockDim.x + threadIdx.x; }

// Not-a-number passes through, as in PyTorch.
DEVICE float rectified(float x) { return x <= 0.0f ? 0.0f : x; }

// Sum over the 32 threads of a warp; all get it.
DEVICE float warp_sum(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
    return x;
}

DEVICE float warp_max(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
    return x;
}

// Tables with statistics per column are cut into tiles: blockDim.x threads of V columns each by
// blockDim.y lanes of rows (a power of two). Rows start + lane, + blockDim.y, ... belong to a lane.
struct Rows {
    i64 first, last;
};

// The rows of part blockIdx.y of gridDim.y.
DEVICE Rows rows_of_part(i64 rows) {
    i64 size = (rows + gridDim.y - 1) / gridDim.y;
    i64 first = size * blockIdx.y, last = first + size;
    return Rows{first < rows ? first : rows, last < rows ? last : rows};
}

// Adds the values of all lanes; lane 0 gets the sum. `room` holds 256 * N numbers.
template <int N> DEVICE void sum_lanes(float (&x)[N], float *room) {
    int here = threadIdx.y * blockDim.x + threadIdx.x;
    for (int k = 0; k < N; k++) room[k * 256 + here] = x[k];
    for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) {
            for (int k = 0; k < N; k++) room[k * 256 + here] += room[k * 256 + here + half * blockDim.x];
        }
    }
    for (int k = 0; k < N; k++) x[k] = room[k * 256 + here];
    __syncthreads();
}
