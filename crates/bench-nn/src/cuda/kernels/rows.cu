// Functions of whole rows: softmax, layer normalisation, length one. One warp per row, eight rows
// per block.

// The row of this warp; rows beyond the last are none of ours, and a whole warp leaves.
DEVICE i64 row_of_warp() { return i64(blockIdx.x) * blockDim.y + threadIdx.y; }

template <class F> DEVICE float row_sum(i64 width, F f) {
    float sum = 0.0f;
    for (i64 i = threadIdx.x; i < width; i += 32) sum += f(i);
    return warp_sum(sum);
}

template <class T> DEVICE float row_max(const T *x, i64 width) {
    float best = load(x[0]);
    for (i64 i = threadIdx.x; i < width; i += 32) best = fmaxf(best, load(x[i]));
    return warp_max(best);
}

template <class T> DEVICE void softmax(const T *x, i64 rows, i64 width, T *y) {
    i64 row = row_of_warp();
    if (row >= rows) return;
    x += row * width, y += row * width;
    float best = row_max(x, width);
    float factor = 1.0f / row_sum(width, [&](i64 i) { return expf(load(x[i]) - best); });
    for (i64 i = threadIdx.x; i < width; i += 32) y[i] = store<T>(expf(load(x[i]) - best) * factor);
}

template <class T> DEVICE void softmax_backward(const T *dy, const T *y, i64 rows, i64 width, T *dx) {
    i64 row = row_of_warp();
    if (row >= rows) return;
    dy += row * width, y += row * width, dx += row * width;
    float mean = row_sum(width, [&](i64 i) { return load(dy[i]) * load(y[i]); });
    for (i64 i = threadIdx.x; i < width; i += 32) dx[i] = store<T>(load(y[i]) * (load(dy[i]) - mean));
}

template <class T> DEVICE void log_softmax(const T *x, i64 rows, i64 width, T *y) {
    i64 row = row_of_warp();
    if (row >= rows) return;
    x += row * width, y += row * width;
    float best = row_max(x, width);
    float log_sum = logf(row_sum(width, [&](i64 i) { return expf(load(x[i]) - best); }));
    for (i64 i = threadIdx.x; i < width; i += 32) y[i] = store<T>((load(x[i]) - best) - log_sum);
}

template <class T> DEVICE void log_softmax_backward(const T *dy, const T *y, i64 rows, i64 width, T *dx) {
    i64 row = row_of_warp();
    if (row >= rows) return;
    dy += row * width, y += row * width, dx += row * width;
    float sum = row_sum(width, [&](i64 i) { return load(dy[i]); });
    for (i64 i = threadIdx.x; i < width; i += 32) dx[i] = store<T>(load(dy[i]) - expf(load(y[i])) * sum);
}

// `statistics`: mean and inverse standard deviation of each row.
template <class T>
DEVICE void layer_norm(const T *x, const float *gamma, const float *beta, float eps, i64 rows, i64 width, T *y,
                       float *statistics) {
    i64 row = row_of_warp();
    if (row >= rows) return;
    x += row * width, y += row * width;
    float mean = row_sum(width, [&](i64 i) { return load(x[i]); }) / float(width);
    float variance = row_sum(width, [&](i64 i) {
        float centred = load(x[i]) - mean;
        return centred * centred;
    }) / float(width);
    float inverse = 1.0f / sqrtf(variance + eps);
    for (i64 i = threadIdx.x; i < width; i += 32) y[i] = store<T>((load(x[i]) - mean) * inverse * gamma[i] + beta[i]);
    if (threadIdx.x == 0) statistics[2 * row] = mean, statistics[2 * row + 1] = inverse;
}

template <class T>
DEVICE void layer_norm_backward(const T *x, const T *dy, const float *gamma, const float *statistics, i64 rows, i64 width,
                                T *dx) {
    i64 row = row_of_warp();
    if (row >= rows) return;
    x += row * width, dy += row * width, dx += row * width;
    float mean = statistics[2 * row], inverse = statistics[2 * row + 1];
    float first = row_sum(width, [&](i64 i) { return load(dy[i]) * gamma[i]; }) / float(width);
    float second = row_sum(width, [&](i64 i) { return load(dy[i]) * gamma[i] * ((load(x[i]) - mean) * inverse); }) / float(width);
    for (i64 i = threadIdx.x; i < width; i += 32) {
        float centred = (load(x[i]) - mean) * inverse;
        dx[i] = store<T>((load(dy[i]) * gamma[i] - first - centred * second) * inverse);
    }
}

// Parts of the gradients of gamma (first) and beta (second), in tiles.
template <class T, int V>
DEVICE void layer_norm_columns(const T *x, const T *dy, const float *statistics, i64 rows, i64 width, float *parts) {
    __shared__ float room[256 * 2 * V];
    i64 column = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * V;
    bool inside = column < width;
    float sums[2 * V] = {};
    if (inside) {
        float here[V], slope[V];
        Rows part = rows_of_part(rows);
        for (i64 row = part.first + threadIdx.y; row < part.last; row += blockDim.y) {
            read<V>(here, x + row * width + column);
            read<V>(slope, dy + row * width + column);
            float mean = statistics[2 * row], inverse = statistics[2 * row + 1];
            for (int k = 0; k < V; k++) {
                sums[k] = fmaf(slope[k], (here[k] - mean) * inverse, sums[k]);
                sums[V + k] += slope[k];
            }
        }
    }
    sum_lanes<2 * V>(sums, room);
    if (inside && threadIdx.y == 0) {
        float *part = parts + i64(blockIdx.y) * 2 * width + column;
        for (int k = 0; k < V; k++) part[k] = sums[k], part[width + k] = sums[V + k];
    }
}

// Parts of the sums of columns (the gradient of a bias), in tiles.
template <class T, int V> DEVICE void column_sums(const T *x, i64 rows, i64 width, float *parts) {
    __shared__ float room[256 * V];
    i64 column = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * V;
    bool inside = column < width;
    float sums[V] = {}, here[V];
    if (inside) {
        Rows part = rows_of_part(rows);
#pragma unroll 4
        for (i64 row = part.first + threadIdx.y; row < part.last; row += blockDim.y) {
            read<V>(here, x + row * width + column);
            for (int k = 0; k < V; k++) sums[k] += here[k];
        }
    }
    sum_lanes<V>(sums, room);
    if (inside && threadIdx.y == 0) {
        for (int k = 0; k < V; k++) parts[i64(blockIdx.y) * width + column + k] = sums[k];
    }
}

// Adds the parts (count, width), in double.
template <class T> DEVICE void finish_columns(const float *parts, i64 count, i64 width, T *y) {
    i64 column = thread_index();
    if (column >= width) return;
    double sum = 0.0;
    for (i64 part = 0; part < count; part++) sum += parts[part * width + column];
    y[column] = store<T>(float(sum));
}

// Rows divided by their length, or by `least` if that is larger; also the lengths.
template <class T> DEVICE void normalise_rows(const T *x, i64 rows, i64 width, float least, T *y, float *lengths) {
    i64 row = row_of_warp();
    if (row >= rows) return;
    x += row * width, y += row * width;
    float length = sqrtf(row_sum(width, [&](i64 i) { return load(x[i]) * load(x[i]); }));
    float factor = 1.0f / (length < least ? least : length);
    for (i64 i = threadIdx.x; i < width; i += 32) y[i] = store<T>(load(x[i]) * factor);
    if (threadIdx.x == 0) lengths[row] = length;
}

// Below the least length the divisor is a constant.
template <class T>
DEVICE void normalise_rows_backward(const T *dy, const T *y, const float *lengths, i64 rows, i64 width, float least, T *dx) {
    i64 row = row_of_warp();
    if (row >= rows) return;
    dy += row * width, y += row * width, dx += row * width;
    float length = lengths[row], along = row_sum(width, [&](i64 i) { return load(dy[i]) * load(y[i]); });
    if (length < least) along = 0.0f, length = least;
    for (i64 i = threadIdx.x; i < width; i += 32) dx[i] = store<T>((load(dy[i]) - load(y[i]) * along) / length);
}

#define X(S, T) \
    KERNEL(softmax_##S, const T *x, i64 rows, i64 width, T *y) { softmax<T>(x, rows, width, y); } \
    KERNEL(softmax_backward_##S, const T *dy, const T *y, i64 rows, i64 width, T *dx) { softmax_backward<T>(dy, y, rows, width, dx); } \
    KERNEL(log_softmax_##S, const T *x, i64 rows, i64 width, T *y) { log_softmax<T>(x, rows, width, y); } \
    KERNEL(log_softmax_backward_##S, const T *dy, const T *y, i64 rows, i64 width, T *dx) { \
        log_softmax_backward<T>(dy, y, rows, width, dx); \
    } \
    KERNEL(layer_norm_##S, const T *x, const float *gamma, const float *beta, float eps, i64 rows, i64 width, T *y, float *statistics) { \
        layer_norm<T>(x, gamma, beta, eps, rows, width, y, statistics); \
    } \
    KERNEL(layer_norm_backward_##S, const T *x, const T *dy, const float *gamma, const float *statistics, i64 rows, i64 width, T *dx) { \
        layer_norm_backward<T>(x, dy, gamma, statistics, rows, width, dx); \
    } \
    KERNEL(finish_columns_##S, const float *parts, i64 count, i64 width, T *y) { finish_columns<T>(parts, count, width, y); } \
    KERNEL(normalize_rows_##S, const T *x, i64 rows, i64 width, float least, T *y, float *lengths) { \
        normalise_rows<T>(x, rows, width, least, y, lengths); \
    } \
    KERNEL(normalize_rows_backward_##S, const T *dy, const T *y, const float *lengths, i64 rows, i64 width, float least, T *dx) { \
        normalise_rows_backward<T>(dy, y, lengths, rows, width, least, dx); \
    }
PER_SCALAR(X)
#undef X

#define X(S, T, V) \
    KERNEL(layer_norm_columns_##S, const T *x, const T *dy, const float *statistics, i64 rows, i64 width, float *parts) { \
        layer_norm_columns<T, V>(x, dy, statistics, rows, width, parts); \
    } \
    KERNEL(column_sums_##S, const T *x, i64 rows, i64 width, float *parts) { column_sums<T, V>(x, rows, width, parts); }
PER_TYPE(X)
#undef X
