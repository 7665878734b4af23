// Reductions of contiguous runs of rows (the neighbours of an atom, the atoms of a molecule) and
// the maps back. One thread per segment and column; an empty segment gives zero.

// Sum of a segment's rows, or their mean.
template <class T> DEVICE void segment_sum(const T *x, const u32 *offsets, i64 mean, i64 segments, i64 width, T *y) {
    Cell at = cell_of<1>(segments, width);
    if (!at.inside) return;
    u32 first = offsets[at.row], last = offsets[at.row + 1];
    float sum = 0.0f;
    for (u32 row = first; row < last; row++) sum += load(x[i64(row) * width + at.column]);
    if (mean && last > first) sum /= float(last - first);
    y[at.row * width + at.column] = store<T>(sum);
}

template <class T>
DEVICE void segment_sum_backward(const T *dy, const u32 *offsets, i64 mean, i64 segments, i64 width, T *dx) {
    Cell at = cell_of<1>(segments, width);
    if (!at.inside) return;
    u32 first = offsets[at.row], last = offsets[at.row + 1];
    float slope = load(dy[at.row * width + at.column]);
    if (mean && last > first) slope /= float(last - first);
    for (u32 row = first; row < last; row++) dx[i64(row) * width + at.column] = store<T>(slope);
}

// Largest (or smallest) number of each column and its row: the first of equal ones, and the first
// not-a-number before all. The row of an empty segment is the one its rows would start at.
template <class T>
DEVICE void segment_extreme(const T *x, const u32 *offsets, i64 largest, i64 segments, i64 width, T *y, u32 *places) {
    Cell at = cell_of<1>(segments, width);
    if (!at.inside) return;
    u32 first = offsets[at.row], last = offsets[at.row + 1], place = first;
    float best = first < last ? load(x[i64(first) * width + at.column]) : 0.0f;
    for (u32 row = first + 1; row < last; row++) {
        float here = load(x[i64(row) * width + at.column]);
        bool beyond = largest ? here > best : here < best;
        if ((beyond || here != here) && best == best) best = here, place = row;
    }
    y[at.row * width + at.column] = store<T>(best);
    places[at.row * width + at.column] = place;
}

template <class T>
DEVICE void segment_extreme_backward(const T *dy, const u32 *places, const u32 *offsets, i64 segments, i64 width, T *dx) {
    Cell at = cell_of<1>(segments, width);
    if (!at.inside) return;
    u32 place = places[at.row * width + at.column];
    T slope = dy[at.row * width + at.column];
    for (u32 row = offsets[at.row]; row < offsets[at.row + 1]; row++) {
        dx[i64(row) * width + at.column] = row == place ? slope : store<T>(0.0f);
    }
}

// Mean, and relu(E[x^2] - E[x]^2), of a segment's column.
template <class T>
DEVICE void segment_moments(const T *x, u32 first, u32 last, i64 width, i64 column, float &mean, float &variance) {
    float sum = 0.0f, squares = 0.0f, count = float(last - first);
    for (u32 row = first; row < last; row++) {
        float here = load(x[i64(row) * width + column]);
        sum += here;
        squares += here * here;
    }
    mean = sum / count;
    variance = rectified(squares / count - mean * mean);
}

template <class T> DEVICE void segment_std(const T *x, const u32 *offsets, float eps, i64 segments, i64 width, T *y) {
    Cell at = cell_of<1>(segments, width);
    if (!at.inside) return;
    u32 first = offsets[at.row], last = offsets[at.row + 1];
    float std = 0.0f, mean, variance;
    if (first < last) {
        segment_moments(x, first, last, width, at.column, mean, variance);
        std = sqrtf(variance + eps);
    }
    y[at.row * width + at.column] = store<T>(std);
}

// dy (x - mean) / (n std) where the variance was not clamped, else zero.
template <class T>
DEVICE void segment_std_backward(const T *dy, const T *x, const u32 *offsets, float eps, i64 segments, i64 width, T *dx) {
    Cell at = cell_of<1>(segments, width);
    if (!at.inside) return;
    u32 first = offsets[at.row], last = offsets[at.row + 1];
    if (first == last) return;
    float mean, variance;
    segment_moments(x, first, last, width, at.column, mean, variance);
    float slope = load(dy[at.row * width + at.column]) / (float(last - first) * sqrtf(variance + eps));
    if (variance <= 0.0f) slope = 0.0f;
    for (u32 row = first; row < last; row++) {
        i64 i = i64(row) * width + at.column;
        dx[i] = store<T>(slope * (load(x[i]) - mean));
    }
}

#define X(S, T) \
    KERNEL(segment_sum_##S, const T *x, const u32 *offsets, i64 mean, i64 segments, i64 width, T *y) { \
        segment_sum<T>(x, offsets, mean, segments, width, y); \
    } \
    KERNEL(segment_sum_backward_##S, const T *dy, const u32 *offsets, i64 mean, i64 segments, i64 width, T *dx) { \
        segment_sum_backward<T>(dy, offsets, mean, segments, width, dx); \
    } \
    KERNEL(segment_extreme_##S, const T *x, const u32 *offsets, i64 largest, i64 segments, i64 width, T *y, u32 *places) { \
        segment_extreme<T>(x, offsets, largest, segments, width, y, places); \
    } \
    KERNEL(segment_extreme_backward_##S, const T *dy, const u32 *places, const u32 *offsets, i64 segments, i64 width, T *dx) { \
        segment_extreme_backward<T>(dy, places, offsets, segments, width, dx); \
    } \
    KERNEL(segment_std_##S, const T *x, const u32 *offsets, float eps, i64 segments, i64 width, T *y) { \
        segment_std<T>(x, offsets, eps, segments, width, y); \
    } \
    KERNEL(segment_std_backward_##S, const T *dy, const T *x, const u32 *offsets, float eps, i64 segments, i64 width, T *dx) { \
        segment_std_backward<T>(dy, x, offsets, eps, segments, width, dx); \
    }
PER_SCALAR(X)
#undef X
