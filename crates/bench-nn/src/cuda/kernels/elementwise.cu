// Functions of single numbers: sum, ReLU, GELU, dropout, change of type.

struct Add {
    DEVICE float operator()(float a, float b) const { return a + b; }
};
struct AddRelu {
    DEVICE float operator()(float a, float b) const { return rectified(a + b); }
};
struct ReluBackward {
    DEVICE float operator()(float dy, float y) const { return y <= 0.0f ? 0.0f : dy; }
};
// Distribution function of the standard normal.
DEVICE float normal_cdf(float x) { return 0.5f * (1.0f + erff(x * 0.70710678118654752f)); }
struct GeluBackward {
    DEVICE float operator()(float dy, float x) const {
        return dy * (normal_cdf(x) + x * 0.39894228040143268f * expf(-0.5f * x * x));
    }
};
struct Relu {
    DEVICE float operator()(float x) const { return rectified(x); }
};
struct Gelu {
    DEVICE float operator()(float x) const { return x * normal_cdf(x); }
};
template <class T, int V, class F> DEVICE void map(const T *x, T *y, i64 packs, F f) {
    i64 i = thread_index();
    if (i >= packs) return;
    float a[V];
    read<V>(a, x + i * V);
    for (int k = 0; k < V; k++) a[k] = f(a[k]);
    write<V>(y + i * V, a);
}

template <class T, int V, class F> DEVICE void zip(const T *a, const T *b, T *y, i64 packs, F f) {
    i64 i = thread_index();
    if (i >= packs) return;
    float left[V], right[V];
    read<V>(left, a + i * V);
    read<V>(right, b + i * V);
    for (int k = 0; k < V; k++) left[k] = f(left[k], right[k]);
    write<V>(y + i * V, left);
}

#define X(S, T, V) \
    KERNEL(relu_##S, const T *x, T *y, i64 packs) { map<T, V>(x, y, packs, Relu{}); } \
    KERNEL(gelu_##S, const T *x, T *y, i64 packs) { map<T, V>(x, y, packs, Gelu{}); } \
    KERNEL(add_##S, const T *a, const T *b, T *y, i64 packs) { zip<T, V>(a, b, y, packs, Add{}); } \
    KERNEL(add_relu_##S, const T *a, const T *b, T *y, i64 packs) { zip<T, V>(a, b, y, packs, AddRelu{}); } \
    KERNEL(relu_backward_##S, const T *dy, const T *y, T *dx, i64 packs) { zip<T, V>(dy, y, dx, packs, ReluBackward{}); } \
    KERNEL(gelu_backward_##S, const T *dy, const T *x, T *dx, i64 packs) { zip<T, V>(dy, x, dx, packs, GeluBackward{}); }
PER_TYPE(X)
#undef X

template <class From, class To, int V> DEVICE void convert(const From *x, To *y, i64 packs) {
    i64 i = thread_index();
    if (i >= packs) return;
    float a[V];
    read<V>(a, x + i * V);
    write<V>(y + i * V, a);
}

KERNEL(cast_f32_bf16, const float *x, bf16 *y, i64 packs) { convert<float, bf16, 1>(x, y, packs); }
KERNEL(cast_f32x4_bf16x4, const float *x, bf16 *y, i64 packs) { convert<float, bf16, 4>(x, y, packs); }
KERNEL(cast_bf16_f32, const bf16 *x, float *y, i64 packs) { convert<bf16, float, 1>(x, y, packs); }
KERNEL(cast_bf16x4_f32x4, const bf16 *x, float *y, i64 packs) { convert<bf16, float, 4>(x, y, packs); }

// Philox4x32-10 (Salmon et al. 2011), as bench_core::seed: the four random words of a counter.
DEVICE void philox(u64 counter, u64 seed, u32 (&words)[4]) {
    u32 c0 = u32(counter), c1 = u32(counter >> 32), c2 = 0, c3 = 0;
    u32 k0 = u32(seed), k1 = u32(seed >> 32);
    for (int round = 0; round < 10; round++) {
        u64 a = u64(c0) * 0xD2511F53u, b = u64(c2) * 0xCD9E8D57u;
        u32 n0 = u32(b >> 32) ^ c1 ^ k0, n2 = u32(a >> 32) ^ c3 ^ k1;
        c1 = u32(b), c3 = u32(a), c0 = n0, c2 = n2;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

// Four numbers per thread: x * factor where the random word reaches the threshold, else zero.
template <class T> DEVICE void dropout(const T *x, T *y, i64 count, u64 seed, i64 threshold, float factor) {
    i64 i = thread_index();
    if (i * 4 >= count) return;
    u32 words[4];
    philox(u64(i), seed, words);
    for (int k = 0; k < 4; k++) {
        i64 at = i * 4 + k;
        if (at < count) y[at] = store<T>(i64(words[k]) >= threshold ? load(x[at]) * factor : 0.0f);
    }
}

#define X(S, T) \
    KERNEL(dropout_##S, const T *x, T *y, i64 count, u64 seed, i64 threshold, float factor) { \
        dropout<T>(x, y, count, seed, threshold, factor); \
    }
PER_SCALAR(X)
#undef X
