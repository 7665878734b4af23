// Pooling over image windows, channels last.
//
// The place of a maximum is its number in the window, row by row, in one byte. The first maximum
// wins, and a not-a-number wins over all before it, as in PyTorch.

struct Window {
    i64 height, width, channels, out_height, out_width, kernel, stride, padding;
};

// One thread per output pixel and pack of channels.
template <class T, int V> DEVICE void max_forward(const T *x, i64 images, Window w, T *y, u8 *places) {
    i64 packs = w.channels / V, i = thread_index();
    if (i >= images * w.out_height * w.out_width * packs) return;
    Split pack = split(i, packs), x_of = split(pack.quotient, w.out_width), y_of = split(x_of.quotient, w.out_height);
    i64 column = pack.remainder * V, out_x = x_of.remainder, out_y = y_of.remainder, image = y_of.quotient;
    float best[V] = {}, here[V];
    u8 place[V] = {};
    bool first = true;
    for (i64 ky = 0; ky < w.kernel; ky++) {
        i64 in_y = out_y * w.stride + ky - w.padding;
        if (in_y < 0 || in_y >= w.height) continue;
        for (i64 kx = 0; kx < w.kernel; kx++) {
            i64 in_x = out_x * w.stride + kx - w.padding;
            if (in_x < 0 || in_x >= w.width) continue;
            read<V>(here, x + ((image * w.height + in_y) * w.width + in_x) * w.channels + column);
            for (int k = 0; k < V; k++) {
                if (first || here[k] > best[k] || here[k] != here[k]) {
                    best[k] = here[k];
                    place[k] = u8(ky * w.kernel + kx);
                }
            }
            first = false;
        }
    }
    i64 at = i * V;
    write<V>(y + at, best);
    Pack<u8, V> bytes;
    for (int k = 0; k < V; k++) bytes.v[k] = place[k];
    *reinterpret_cast<Pack<u8, V> *>(places + at) = bytes;
}

// One thread per input pixel and pack of channels; it gathers from the windows that cover it.
template <class T, int V> DEVICE void max_backward(const T *dy, const u8 *places, i64 images, Window w, T *dx) {
    i64 packs = w.channels / V, i = thread_index();
    if (i >= images * w.height * w.width * packs) return;
    Split pack = split(i, packs), x_of = split(pack.quotient, w.width), y_of = split(x_of.quotient, w.height);
    i64 column = pack.remainder * V, in_x = x_of.remainder + w.padding, in_y = y_of.remainder + w.padding;
    i64 image = y_of.quotient;
    // Outputs o with 0 <= in - o stride < kernel.
    i64 first_y = in_y < w.kernel ? 0 : split(in_y - w.kernel, w.stride).quotient + 1;
    i64 first_x = in_x < w.kernel ? 0 : split(in_x - w.kernel, w.stride).quotient + 1;
    i64 last_y = split(in_y, w.stride).quotient, last_x = split(in_x, w.stride).quotient;
    float sum[V] = {}, slope[V];
    for (i64 out_y = first_y; out_y <= last_y && out_y < w.out_height; out_y++) {
        for (i64 out_x = first_x; out_x <= last_x && out_x < w.out_width; out_x++) {
            i64 at = ((image * w.out_height + out_y) * w.out_width + out_x) * w.channels + column;
            u8 here = u8((in_y - out_y * w.stride) * w.kernel + in_x - out_x * w.stride);
            Pack<u8, V> place = *reinterpret_cast<const Pack<u8, V> *>(places + at);
            read<V>(slope, dy + at);
            for (int k = 0; k < V; k++) sum[k] += place.v[k] == here ? slope[k] : 0.0f;
        }
    }
    write<V>(dx + i * V, sum);
}

// Mean over the pixels of each image; `across` blocks side by side cover its channels.
template <class T, int V> DEVICE void mean_forward(const T *x, i64 pixels, i64 channels, i64 across, T *y) {
    __shared__ float room[256 * V];
    i64 image = blockIdx.x / across, column = ((blockIdx.x % across) * blockDim.x + threadIdx.x) * V;
    bool inside = column < channels;
    float sums[V] = {}, here[V];
    if (inside) {
#pragma unroll 4
        for (i64 pixel = threadIdx.y; pixel < pixels; pixel += blockDim.y) {
            read<V>(here, x + (image * pixels + pixel) * channels + column);
            for (int k = 0; k < V; k++) sums[k] += here[k];
        }
    }
    sum_lanes<V>(sums, room);
    if (inside && threadIdx.y == 0) {
        for (int k = 0; k < V; k++) sums[k] /= float(pixels);
        write<V>(y + image * channels + column, sums);
    }
}

template <class T, int V> DEVICE void mean_backward(const T *dy, i64 images, i64 pixels, i64 channels, T *dx) {
    i64 packs = channels / V, i = thread_index();
    if (i >= images * pixels * packs) return;
    Split pack = split(i, packs);
    i64 image = split(pack.quotient, pixels).quotient;
    float slope[V];
    read<V>(slope, dy + image * channels + pack.remainder * V);
    for (int k = 0; k < V; k++) slope[k] /= float(pixels);
    write<V>(dx + i * V, slope);
}

#define X(S, T, V) \
    KERNEL(max_pool_forward_##S, const T *x, i64 images, Window w, T *y, u8 *places) { max_forward<T, V>(x, images, w, y, places); } \
    KERNEL(max_pool_backward_##S, const T *dy, const u8 *places, i64 images, Window w, T *dx) { \
        max_backward<T, V>(dy, places, images, w, dx); \
    } \
    KERNEL(mean_pool_forward_##S, const T *x, i64 pixels, i64 channels, i64 across, T *y) { \
        mean_forward<T, V>(x, pixels, channels, across, y); \
    } \
    KERNEL(mean_pool_backward_##S, const T *dy, i64 images, i64 pixels, i64 channels, T *dx) { \
        mean_backward<T, V>(dy, images, pixels, channels, dx); \
    }
PER_TYPE(X)
#undef X
