/* Made by tests/golden/tsne.py with scikit-learn 1.9.1: do not edit. */
#define GOLDEN_POINTS 2000
static const double golden_variance[5] = {0.229877705, 0.160502485, 0.123623519, 0.113312356, 0.0832546719};
static const double golden_ratio[5] = {0.181162265, 0.126488968, 0.0974253537, 0.0892993214, 0.0656114298};
static const double golden_plane_trust = 0.769141265; /* of the first two components */
static const double golden_kl = 1.15954665;         /* nats, after 1,000 iterations */
static const double golden_trust = 0.98324242;
