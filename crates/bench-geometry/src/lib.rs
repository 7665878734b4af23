//! Exact neighbour graph, PCA and UMAP, shared by metrics and plots
