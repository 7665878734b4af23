// What the optimiser does to all parameters at once: AdamW, clipping by the common norm, moving
// averages. Lists of up to 64 tensors travel in the launch itself; blockIdx.y is the tensor, and
// the blocks of a row of the grid share its numbers.
//
// Nothing here tells the host anything: whether the gradients are finite, their norm and the number
// of steps taken stay on the device.

enum { MOST_TENSORS = 64 };

struct Tensors {
    u64 first[MOST_TENSORS], second[MOST_TENSORS], third[MOST_TENSORS], fourth[MOST_TENSORS];
    i64 count[MOST_TENSORS];
    // Of AdamW: 1 - lr weight_decay, lr, and which number counts the tensor's steps.
    float keep[MOST_TENSORS], rate[MOST_TENSORS];
    u32 index[MOST_TENSORS];
};

template <class F> DEVICE void each(i64 count, F f) {
    for (i64 i = thread_index(); i < count; i += i64(gridDim.x) * blockDim.x) f(i);
}

DEVICE bool finite(float x) { return (__float_as_uint(x) & 0x7f800000u) != 0x7f800000u; }

// Sets `flag` if a number of `second` is not finite. All who write, write the same.
KERNEL(find_not_finite, Tensors list, u32 *flag) {
    const float *x = reinterpret_cast<const float *>(list.second[blockIdx.y]);
    bool bad = false;
    each(list.count[blockIdx.y], [&](i64 i) { bad |= !finite(x[i]); });
    if (bad) *flag = 1;
}

KERNEL(count_skipped, const u32 *flag, u32 *skipped) { *skipped += *flag; }

// Counts a step of each listed tensor, unless it is skipped, and puts 1 / (1 - b1^t) and
// sqrt(1 - b2^t) where `adamw` finds them. One thread per tensor.
KERNEL(adamw_advance, Tensors list, i64 tensors, const u32 *flag, u32 *steps, double beta1, double beta2, float *corrections) {
    i64 tensor = thread_index();
    if (tensor >= tensors || *flag) return;
    u32 index = list.index[tensor], step = ++steps[index];
    corrections[2 * index] = float(1.0 / (1.0 - pow(beta1, double(step))));
    corrections[2 * index + 1] = float(sqrt(1.0 - pow(beta2, double(step))));
}

// Parameter, gradient, mean and mean square of gradients.
KERNEL(adamw, Tensors list, const u32 *flag, const float *corrections, float rest1, float beta2, float rest2, float eps) {
    if (*flag) return;
    int tensor = blockIdx.y;
    float *p = reinterpret_cast<float *>(list.first[tensor]), *m = reinterpret_cast<float *>(list.third[tensor]);
    float *v = reinterpret_cast<float *>(list.fourth[tensor]);
    const float *g = reinterpret_cast<const float *>(list.second[tensor]);
    float keep = list.keep[tensor], root = corrections[2 * list.index[tensor] + 1];
    float step = list.rate[tensor] * corrections[2 * list.index[tensor]];
    each(list.count[tensor], [&](i64 i) {
        float gradient = g[i], mean = m[i] + rest1 * (gradient - m[i]), square = beta2 * v[i] + rest2 * gradient * gradient;
        m[i] = mean;
        v[i] = square;
        p[i] = keep * p[i] - step * mean / (sqrtf(square) / root + eps);
    });
}

// Parts of the sum of squares of `first`, one per block, in double: gradients near the largest
// float must not look infinite.
KERNEL(square_sums, Tensors list, double *parts) {
    __shared__ double room[256];
    const float *x = reinterpret_cast<const float *>(list.first[blockIdx.y]);
    double sum = 0.0;
    each(list.count[blockIdx.y], [&](i64 i) { sum += double(x[i]) * double(x[i]); });
    room[threadIdx.x] = sum;
    for (unsigned half = 128; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) room[threadIdx.x] += room[threadIdx.x + half];
    }
    if (threadIdx.x == 0) parts[blockIdx.y * gridDim.x + blockIdx.x] = room[0];
}

// The norm, and the factor that brings it to at most `most`: 1 if it is not finite. One block.
KERNEL(finish_norm, const double *parts, i64 count, double most, float *norm, float *factor) {
    __shared__ double room[256];
    double sum = 0.0;
    for (i64 part = threadIdx.x; part < count; part += 256) sum += parts[part];
    room[threadIdx.x] = sum;
    for (unsigned half = 128; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) room[threadIdx.x] += room[threadIdx.x + half];
    }
    if (threadIdx.x != 0) return;
    double root = sqrt(room[0]), wanted = most / (root + 1e-6);
    *norm = float(root);
    // A norm that is not a number fails the comparison.
    *factor = wanted < 1.0 && root < 1e300 ? float(wanted) : 1.0f;
}

// `second` becomes `factor` times `first`.
KERNEL(scale_all, Tensors list, const float *factor) {
    const float *x = reinterpret_cast<const float *>(list.first[blockIdx.y]);
    float *y = reinterpret_cast<float *>(list.second[blockIdx.y]), scale = *factor;
    each(list.count[blockIdx.y], [&](i64 i) { y[i] = x[i] * scale; });
}

// `first` becomes momentum first + (1 - momentum) second.
KERNEL(blend_all, Tensors list, float momentum, float rest) {
    float *to = reinterpret_cast<float *>(list.first[blockIdx.y]);
    const float *from = reinterpret_cast<const float *>(list.second[blockIdx.y]);
    each(list.count[blockIdx.y], [&](i64 i) { to[i] = momentum * to[i] + rest * from[i]; });
}
