/* Neighbours by rows of distances: each row is looked at once, and what is nearest is kept in a short sorted list. */
#include "analysis/neighbours.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "base/try.h"

/* The k nearest of point i by its row of distances: index[k], distance[k]. */
static void nearest_of_row(const float *row, int points, int i, int k, int *index, float *distance)
{
    int found = 0;
    for (int n = 0; n < points; n++) {
        if (n == i || (found == k && row[n] >= distance[k - 1])) continue;
        int at = found < k ? found++ : k - 1;
        for (; at > 0 && distance[at - 1] > row[n]; at--) {
            distance[at] = distance[at - 1];
            index[at] = index[at - 1];
        }
        distance[at] = row[n];
        index[at] = n;
    }
}

clv_status clv_neighbours_find(clv_distances *space, int k, clv_neighbours *out, clv_error *err)
{
    clv_status status = CLV_OK;
    const int points = space->points;
    clv_neighbours made = {.points = points, .k = k};
    float *distance = clv_alloc((size_t)(k > 0 ? k : 1), sizeof *distance, err);
    made.index = clv_alloc((size_t)points * (size_t)(k > 0 ? k : 1), sizeof *made.index, err);
    made.nearest = clv_alloc((size_t)points, sizeof *made.nearest, err);
    CLV_REQUIRE(distance && made.index && made.nearest, CLV_ERR_INTERNAL,
                "out of memory for the neighbours of %d points", points);
    CLV_REQUIRE(k >= 1 && k < points, CLV_ERR_CONFIG, "%d neighbours of each of %d points: there are too few", k,
                points);
    for (int first = 0, rows; first < points; first += rows) {
        CLV_TRY(clv_distances_read(space, first, &rows, err));
        for (int r = 0; r < rows; r++) {
            nearest_of_row(space->block + (size_t)r * (size_t)space->stride, points, first + r, k,
                           made.index + (size_t)(first + r) * (size_t)k, distance);
            made.nearest[first + r] = sqrtf(distance[0]);
        }
    }
    *out = made;
    made = (clv_neighbours){0};
done:
    clv_neighbours_free(&made);
    free(distance);
    return status;
}

void clv_neighbours_free(clv_neighbours *n)
{
    free(n->index);
    free(n->nearest);
    *n = (clv_neighbours){0};
}

/* The label that most neighbours have, found at the nearest of them first. */
static int vote(const int *index, int k, const int *label)
{
    int best = -1, most = 0;
    for (int a = 0; a < k; a++) {
        int votes = 0;
        for (int b = 0; b < k; b++) votes += label[index[b]] == label[index[a]];
        if (votes <= most) continue;
        most = votes;
        best = label[index[a]];
    }
    return best;
}

double clv_knn_accuracy(const clv_neighbours *n, const int *label)
{
    int right = 0;
    for (int i = 0; i < n->points; i++) right += vote(n->index + (size_t)i * (size_t)n->k, n->k, label) == label[i];
    return (double)right / n->points;
}

/* Place of point j among the others by their distance from i, 1 the nearest. */
static int rank_of(const float *row, int points, int i, int j)
{
    const float d = row[j];
    int before = 0;
    for (int n = 0; n < points; n++) before += row[n] < d;
    for (int n = 0; n < j; n++) before += row[n] == d;
    before -= row[i] < d || (row[i] == d && i < j); /* i itself */
    return before + 1;
}

clv_status clv_trustworthiness(clv_distances *space, const clv_neighbours *map, double *result, clv_error *err)
{
    clv_status status = CLV_OK;
    const double points = space->points, k = map->k;
    double penalty = 0;
    CLV_REQUIRE(map->points == space->points && 2 * map->k < map->points, CLV_ERR_CONFIG,
                "trustworthiness of %d neighbours of %d points: they must be fewer than half", map->k, map->points);
    for (int first = 0, rows; first < space->points; first += rows) {
        CLV_TRY(clv_distances_read(space, first, &rows, err));
        for (int r = 0; r < rows; r++)
            for (int a = 0; a < map->k; a++) {
                const int i = first + r, j = map->index[(size_t)i * (size_t)map->k + (size_t)a];
                const int rank = rank_of(space->block + (size_t)r * (size_t)space->stride, space->points, i, j);
                if (rank > map->k) penalty += rank - map->k;
            }
    }
    *result = 1 - 2 / (points * k * (2 * points - 3 * k - 1)) * penalty;
done:
    return status;
}

/* Squared distance from `at` to the nearest of the points [dim][point]. */
static float nearest_squared(const float *columns, size_t points, size_t dims, const float *at, float *row)
{
    float least = FLT_MAX;
    memset(row, 0, points * sizeof *row);
    for (size_t c = 0; c < dims; c++) {
        const float *restrict column = columns + c * points, x = at[c];
        float *restrict sum = row;
        for (size_t n = 0; n < points; n++) sum[n] += (column[n] - x) * (column[n] - x);
    }
    for (size_t n = 0; n < points; n++)
        if (row[n] < least) least = row[n];
    return least;
}

clv_status clv_find_gaps(const clv_points *points, const clv_neighbours *n, const clv_points *samples, clv_gaps *gaps,
                         clv_error *err)
{
    clv_status status = CLV_OK;
    const size_t count = (size_t)points->count, dims = (size_t)points->dims, drawn = (size_t)samples->count;
    float *columns = clv_alloc(count * dims, sizeof *columns, err), *row = clv_alloc(count, sizeof *row, err),
          *distance = clv_alloc(drawn, sizeof *distance, err);
    CLV_REQUIRE(columns && row && distance, CLV_ERR_INTERNAL, "out of memory for the gaps between %zu points", count);
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < dims; c++) columns[c * count + i] = points->at[i * dims + c];
    for (size_t i = 0; i < drawn; i++)
        distance[i] = sqrtf(nearest_squared(columns, count, dims, samples->at + i * dims, row));
    memcpy(row, n->nearest, count * sizeof *row);
    qsort(row, count, sizeof *row, clv_order_floats);
    qsort(distance, drawn, sizeof *distance, clv_order_floats);
    const float threshold = row[(size_t)(CLV_GAP_QUANTILE * (double)(count - 1))], usual = row[count / 2];
    size_t within = 0;
    while (within < drawn && distance[within] <= threshold) within++;
    *gaps = (clv_gaps){(double)(drawn - within) / (double)drawn, (double)threshold,
                       usual > 0 ? (double)distance[drawn / 2] / (double)usual : NAN};
done:
    free(columns);
    free(row);
    free(distance);
    return status;
}
