// Batch normalisation over the rows of a table (rows, channels), in tiles.
//
// Moments and the sums of the backward pass are made in two stages: each block adds up its part of
// the rows in float, and a second kernel adds the parts in double. Moments are taken about the
// first row, so that a mean far from zero does not cancel the variance.
//
// Forward and backward find scale and shift with the same instructions, so that they agree to the
// bit about where y = x scale + shift is positive.

// What normalises a channel; `inverse` is 1 / sqrt(variance + eps).
struct Channels {
    const float *mean, *inverse, *gamma, *beta;
};

template <int V> struct Affine {
    float mean[V], scale[V], shift[V];

    DEVICE Affine(Channels c, i64 column) {
        float inverse[V], beta[V];
        read<V>(mean, c.mean + column);
        read<V>(inverse, c.inverse + column);
        read<V>(scale, c.gamma + column);
        read<V>(beta, c.beta + column);
        for (int k = 0; k < V; k++) {
            scale[k] *= inverse[k];
            shift[k] = fmaf(-mean[k], scale[k], beta[k]);
        }
    }

    DEVICE float at(int k, float x) const { return fmaf(x, scale[k], shift[k]); }
};

template <class T, int V> DEVICE void moments(const T *x, i64 rows, i64 channels, float *parts) {
    __shared__ float room[256 * 2 * V];
    i64 column = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * V;
    bool inside = column < channels;
    float sums[2 * V] = {};
    if (inside) {
        float first[V], here[V];
        read<V>(first, x + column);
        Rows part = rows_of_part(rows);
#pragma unroll 4
        for (i64 row = part.first + threadIdx.y; row < part.last; row += blockDim.y) {
            read<V>(here, x + row * channels + column);
            for (int k = 0; k < V; k++) {
                float shifted = here[k] - first[k];
                sums[k] += shifted;
                sums[V + k] = fmaf(shifted, shifted, sums[V + k]);
            }
        }
    }
    sum_lanes<2 * V>(sums, room);
    if (inside && threadIdx.y == 0) {
        float *part = parts + i64(blockIdx.y) * 2 * channels + column;
        for (int k = 0; k < V; k++) {
            part[k] = sums[k];
            part[channels + k] = sums[V + k];
        }
    }
}

// Both sums of a channel over all parts. 32 channels by 8 lanes; lane 0 gets them.
DEVICE void sum_parts(const float *parts, i64 count, i64 channels, i64 channel, double (&sums)[2]) {
    __shared__ double room[2 * 256];
    int here = threadIdx.y * 32 + threadIdx.x;
    double first = 0.0, second = 0.0;
    if (channel < channels) {
        for (i64 part = threadIdx.y; part < count; part += blockDim.y) {
            first += parts[part * 2 * channels + channel];
            second += parts[part * 2 * channels + channels + channel];
        }
    }
    room[here] = first, room[256 + here] = second;
    __syncthreads();
    sums[0] = sums[1] = 0.0;
    if (threadIdx.y == 0) {
        for (int lane = 0; lane < 8; lane++) {
            sums[0] += room[lane * 32 + threadIdx.x];
            sums[1] += room[256 + lane * 32 + threadIdx.x];
        }
    }
}

// Mean and inverse standard deviation from the parts. The running variance takes the unbiased
// estimate; with `momentum` 0 the running ones stay as they are.
template <class T>
DEVICE void finish_moments(const float *parts, i64 count, const T *x, i64 rows, i64 channels, float *running_mean,
                           float *running_variance, double momentum, double eps, float *mean_out, float *inverse_out) {
    i64 channel = i64(blockIdx.x) * 32 + threadIdx.x;
    double sums[2];
    sum_parts(parts, count, channels, channel, sums);
    if (threadIdx.y != 0 || channel >= channels) return;
    double shift = sums[0] / double(rows), square = sums[1] / double(rows) - shift * shift;
    double mean = double(load(x[channel])) + shift, variance = square < 0.0 ? 0.0 : square;
    mean_out[channel] = float(mean);
    inverse_out[channel] = float(1.0 / sqrt(variance + eps));
    if (momentum != 0.0) {
        double unbiased = variance * (double(rows) / double(rows > 1 ? rows - 1 : 1));
        running_mean[channel] = float((1.0 - momentum) * running_mean[channel] + momentum * mean);
        running_variance[channel] = float((1.0 - momentum) * running_variance[channel] + momentum * unbiased);
    }
}

KERNEL(batch_norm_running, const float *mean, const float *variance, i64 channels, double eps, float *mean_out,
       float *inverse_out) {
    i64 channel = thread_index();
    if (channel >= channels) return;
    mean_out[channel] = mean[channel];
    inverse_out[channel] = float(1.0 / sqrt(double(variance[channel]) + eps));
}

// y = [relu](x scale + shift [+ residual]); no residual is a null pointer.
template <class T, int V>
DEVICE void normalise(const T *x, Channels c, const T *residual, i64 relu, i64 rows, i64 channels, T *y) {
    i64 column = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * V;
    if (column >= channels) return;
    Affine<V> affine(c, column);
    float here[V], more[V] = {};
    Rows part = rows_of_part(rows);
#pragma unroll 4
    for (i64 row = part.first + threadIdx.y; row < part.last; row += blockDim.y) {
        i64 at = row * channels + column;
        read<V>(here, x + at);
        if (residual) read<V>(more, residual + at);
        for (int k = 0; k < V; k++) {
            here[k] = affine.at(k, here[k]) + more[k];
            if (relu) here[k] = rectified(here[k]);
        }
        write<V>(y + at, here);
    }
}

// Where the ReLU passed: everywhere (0), where x scale + shift is positive (1), where y is (2).
enum { NO_MASK, AFFINE_MASK, OUTPUT_MASK };

template <int V>
DEVICE void mask(float (&dy)[V], i64 kind, const float (&x)[V], const float (&y)[V], const Affine<V> &affine) {
    for (int k = 0; k < V; k++) {
        bool off = kind == AFFINE_MASK ? affine.at(k, x[k]) <= 0.0f : kind == OUTPUT_MASK && y[k] <= 0.0f;
        if (off) dy[k] = 0.0f;
    }
}

// Parts of the sums of dy and of dy (x - mean), both masked.
template <class T, int V>
DEVICE void backward_sums(const T *x, const T *dy, const T *y, Channels c, i64 kind, i64 rows, i64 channels, float *parts) {
    __shared__ float room[256 * 2 * V];
    i64 column = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * V;
    bool inside = column < channels;
    float sums[2 * V] = {};
    if (inside) {
        Affine<V> affine(c, column);
        float here[V], slope[V], out[V] = {};
        Rows part = rows_of_part(rows);
#pragma unroll 4
        for (i64 row = part.first + threadIdx.y; row < part.last; row += blockDim.y) {
            i64 at = row * channels + column;
            read<V>(here, x + at);
            read<V>(slope, dy + at);
            if (kind == OUTPUT_MASK) read<V>(out, y + at);
            mask<V>(slope, kind, here, out, affine);
            for (int k = 0; k < V; k++) {
                sums[k] += slope[k];
                sums[V + k] = fmaf(slope[k], here[k] - affine.mean[k], sums[V + k]);
            }
        }
    }
    sum_lanes<2 * V>(sums, room);
    if (inside && threadIdx.y == 0) {
        float *part = parts + i64(blockIdx.y) * 2 * channels + column;
        for (int k = 0; k < V; k++) {
            part[k] = sums[k];
            part[channels + k] = sums[V + k];
        }
    }
}

// Gradients of gamma and beta, and rows a, b, c of dx = a dy + b (x - mean) + c. With running
// statistics (`of_batch` 0) mean and variance do not depend on x, so b = c = 0.
KERNEL(batch_norm_backward_finish, const float *parts, i64 count, i64 rows, i64 channels, Channels c, i64 of_batch,
       float *dgamma, float *dbeta, float *coefficients) {
    i64 channel = i64(blockIdx.x) * 32 + threadIdx.x;
    double sums[2];
    sum_parts(parts, count, channels, channel, sums);
    if (threadIdx.y != 0 || channel >= channels) return;
    double inverse = c.inverse[channel], scale = double(c.gamma[channel]) * inverse;
    double factor = of_batch ? scale / double(rows) : 0.0;
    dgamma[channel] = float(sums[1] * inverse);
    dbeta[channel] = float(sums[0]);
    coefficients[channel] = float(scale);
    coefficients[channels + channel] = float(-factor * inverse * inverse * sums[1]);
    coefficients[2 * channels + channel] = float(-factor * sums[0]);
}

// dx, and unless its pointer is null the masked dy, which is the gradient of the residual.
template <class T, int V>
DEVICE void backward_apply(const T *x, const T *dy, const T *y, Channels c, const float *coefficients, i64 kind, i64 rows,
                           i64 channels, T *dx, T *kept) {
    i64 column = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * V;
    if (column >= channels) return;
    Affine<V> affine(c, column);
    float first[V], second[V], third[V], here[V], slope[V], out[V] = {};
    read<V>(first, coefficients + column);
    read<V>(second, coefficients + channels + column);
    read<V>(third, coefficients + 2 * channels + column);
    Rows part = rows_of_part(rows);
#pragma unroll 4
    for (i64 row = part.first + threadIdx.y; row < part.last; row += blockDim.y) {
        i64 at = row * channels + column;
        read<V>(here, x + at);
        read<V>(slope, dy + at);
        if (kind == OUTPUT_MASK) read<V>(out, y + at);
        mask<V>(slope, kind, here, out, affine);
        if (kept) write<V>(kept + at, slope);
        for (int k = 0; k < V; k++) here[k] = fmaf(first[k], slope[k], fmaf(second[k], here[k] - affine.mean[k], third[k]));
        write<V>(dx + at, here);
    }
}

#define X(S, T, V) \
    KERNEL(batch_norm_moments_##S, const T *x, i64 rows, i64 channels, float *parts) { moments<T, V>(x, rows, channels, parts); } \
    KERNEL(batch_norm_forward_##S, const T *x, Channels c, const T *residual, i64 relu, i64 rows, i64 channels, T *y) { \
        normalise<T, V>(x, c, residual, relu, rows, channels, y); \
    } \
    KERNEL(batch_norm_backward_sums_##S, const T *x, const T *dy, const T *y, Channels c, i64 kind, i64 rows, i64 channels, float *parts) { \
        backward_sums<T, V>(x, dy, y, c, kind, rows, channels, parts); \
    } \
    KERNEL(batch_norm_backward_apply_##S, const T *x, const T *dy, const T *y, Channels c, const float *coefficients, i64 kind, \
           i64 rows, i64 channels, T *dx, T *kept) { \
        backward_apply<T, V>(x, dy, y, c, coefficients, kind, rows, channels, dx, kept); \
    }
PER_TYPE(X)
#undef X

#define X(S, T) \
    KERNEL(batch_norm_finish_##S, const float *parts, i64 count, const T *x, i64 rows, i64 channels, float *running_mean, \
           float *running_variance, double momentum, double eps, float *mean, float *inverse) { \
        finish_moments<T>(parts, count, x, rows, channels, running_mean, running_variance, momentum, eps, mean, inverse); \
    }
PER_SCALAR(X)
#undef X
