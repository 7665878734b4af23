// Rows and columns of tables: copied, gathered, summed by lists. One thread per number or pack of
// an output row, unless noted.

struct Cell {
    i64 row, column;
    bool inside;
};

template <int V> DEVICE Cell cell_of(i64 rows, i64 width) {
    i64 packs = width / V, i = thread_index();
    Split at = split(i, packs);
    return Cell{at.quotient, at.remainder * V, i < rows * packs};
}

// Row r of y is row index[r] of x.
template <class T, int V> DEVICE void gather(const T *x, const u32 *index, i64 rows, i64 width, T *y) {
    Cell at = cell_of<V>(rows, width);
    if (!at.inside) return;
    *reinterpret_cast<Pack<T, V> *>(y + at.row * width + at.column) =
        *reinterpret_cast<const Pack<T, V> *>(x + i64(index[at.row]) * width + at.column);
}

// Row r of y is the sum of rows index[r group .. (r + 1) group] of x.
template <class T, int V> DEVICE void sum_groups(const T *x, const u32 *index, i64 group, i64 rows, i64 width, T *y) {
    Cell at = cell_of<V>(rows, width);
    if (!at.inside) return;
    float sum[V] = {}, here[V];
    for (i64 j = at.row * group; j < (at.row + 1) * group; j++) {
        read<V>(here, x + i64(index[j]) * width + at.column);
        for (int k = 0; k < V; k++) sum[k] += here[k];
    }
    write<V>(y + at.row * width + at.column, sum);
}

// Row r of y is the sum of rows index[j] / group of x for j in offsets[r]..offsets[r + 1].
template <class T, int V>
DEVICE void sum_listed(const T *x, const u32 *offsets, const u32 *index, i64 group, i64 rows, i64 width, T *y) {
    Cell at = cell_of<V>(rows, width);
    if (!at.inside) return;
    float sum[V] = {}, here[V];
    for (u32 j = offsets[at.row]; j < offsets[at.row + 1]; j++) {
        read<V>(here, x + i64(index[j] / u32(group)) * width + at.column);
        for (int k = 0; k < V; k++) sum[k] += here[k];
    }
    write<V>(y + at.row * width + at.column, sum);
}

// The same for long lists (all carbon atoms of a batch): 32 columns by eight lanes of the list.
template <class T>
DEVICE void sum_long_lists(const T *x, const u32 *offsets, const u32 *index, i64 group, i64 width, T *y) {
    __shared__ float room[256];
    i64 row = blockIdx.x, column = i64(blockIdx.y) * 32 + threadIdx.x;
    float sum[1] = {};
    if (column < width) {
        for (u32 j = offsets[row] + threadIdx.y; j < offsets[row + 1]; j += blockDim.y) {
            sum[0] += load(x[i64(index[j] / u32(group)) * width + column]);
        }
    }
    sum_lanes<1>(sum, room);
    if (column < width && threadIdx.y == 0) y[row * width + column] = store<T>(sum[0]);
}

// Copies `width` columns of x, from x_start of x_width, to columns from y_start of y_width of y.
template <class T, int V>
DEVICE void copy_columns(const T *x, i64 x_width, i64 x_start, i64 rows, i64 width, T *y, i64 y_width, i64 y_start) {
    Cell at = cell_of<V>(rows, width);
    if (!at.inside) return;
    *reinterpret_cast<Pack<T, V> *>(y + at.row * y_width + y_start + at.column) =
        *reinterpret_cast<const Pack<T, V> *>(x + at.row * x_width + x_start + at.column);
}

// y of `width` columns with x in `len` columns from `start` and zero elsewhere.
template <class T> DEVICE void widen(const T *x, i64 rows, i64 width, i64 start, i64 len, T *y) {
    Cell at = cell_of<1>(rows, width);
    if (!at.inside) return;
    i64 column = at.column - start;
    y[at.row * width + at.column] = column >= 0 && column < len ? x[at.row * len + column] : store<T>(0.0f);
}

template <class T, int V> DEVICE void scale_rows(const T *x, const float *factors, i64 rows, i64 width, T *y) {
    Cell at = cell_of<V>(rows, width);
    if (!at.inside) return;
    float here[V];
    read<V>(here, x + at.row * width + at.column);
    for (int k = 0; k < V; k++) here[k] *= factors[at.row];
    write<V>(y + at.row * width + at.column, here);
}

// In place: adds `bias`, one number per column, to each row.
template <class T, int V, class B> DEVICE void add_bias(T *y, const B *bias, i64 rows, i64 width) {
    Cell at = cell_of<V>(rows, width);
    if (!at.inside) return;
    float here[V];
    read<V>(here, y + at.row * width + at.column);
    for (int k = 0; k < V; k++) here[k] += load(bias[at.column + k]);
    write<V>(y + at.row * width + at.column, here);
}

#define X(S, T, V) \
    KERNEL(gather_##S, const T *x, const u32 *index, i64 rows, i64 width, T *y) { gather<T, V>(x, index, rows, width, y); } \
    KERNEL(sum_groups_##S, const T *x, const u32 *index, i64 group, i64 rows, i64 width, T *y) { \
        sum_groups<T, V>(x, index, group, rows, width, y); \
    } \
    KERNEL(sum_listed_##S, const T *x, const u32 *offsets, const u32 *index, i64 group, i64 rows, i64 width, T *y) { \
        sum_listed<T, V>(x, offsets, index, group, rows, width, y); \
    } \
    KERNEL(copy_columns_##S, const T *x, i64 x_width, i64 x_start, i64 rows, i64 width, T *y, i64 y_width, i64 y_start) { \
        copy_columns<T, V>(x, x_width, x_start, rows, width, y, y_width, y_start); \
    } \
    KERNEL(scale_rows_##S, const T *x, const float *factors, i64 rows, i64 width, T *y) { \
        scale_rows<T, V>(x, factors, rows, width, y); \
    } \
    KERNEL(add_bias_f32_##S, T *y, const float *bias, i64 rows, i64 width) { add_bias<T, V, float>(y, bias, rows, width); } \
    KERNEL(add_bias_bf16_##S, T *y, const bf16 *bias, i64 rows, i64 width) { add_bias<T, V, bf16>(y, bias, rows, width); }
PER_TYPE(X)
#undef X

#define X(S, T) \
    KERNEL(sum_long_lists_##S, const T *x, const u32 *offsets, const u32 *index, i64 group, i64 width, T *y) { \
        sum_long_lists<T>(x, offsets, index, group, width, y); \
    } \
    KERNEL(widen_##S, const T *x, i64 rows, i64 width, i64 start, i64 len, T *y) { widen<T>(x, rows, width, start, len, y); }
PER_SCALAR(X)
#undef X
