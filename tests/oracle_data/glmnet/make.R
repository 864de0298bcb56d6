# Figures of glmnet that tests/selection/test_glmnet_oracle.py compares with.
#
#   python export.py DIR && Rscript make.R DIR && python collect.py DIR
#
# export.py writes the data, folds and grids as CSV files into DIR; this script fits them there with glmnet and
# cv.glmnet; collect.py packs the answers into figures.json beside it. Only simulated data are kept in the repository.

suppressPackageStartupMessages(library(glmnet))
args <- commandArgs(trailingOnly = TRUE)
setwd(args[1])
glmnet.control(fdev = 0, devmax = 1, eps = 1e-10) # no early stop of the path: every lambda is fitted
read <- function(name) as.matrix(read.csv(name, header = FALSE))
write <- function(x, name) write.table(format(x, digits = 17), name, sep = ",", row.names = FALSE, col.names = FALSE, quote = FALSE)

writeLines(c(R.version.string, as.character(packageVersion("glmnet"))), "versions.txt")
cases <- read.csv("cases.csv", stringsAsFactors = FALSE)
for (i in seq_len(nrow(cases))) {
  case <- cases[i, ]
  X <- read(paste0(case$data, "_X.csv")); y <- drop(read(paste0(case$data, "_y.csv")))
  foldid <- drop(read(paste0(case$data, "_fold.csv"))); lambda <- drop(read(paste0(case$name, "_lambda.csv")))
  weights <- if (case$weighted) drop(read(paste0(case$data, "_weight.csv"))) else rep(1, length(y))
  fit <- cv.glmnet(X, y, family = case$family, alpha = case$alpha, lambda = lambda, foldid = foldid, weights = weights,
                   standardize = TRUE, thresh = case$thresh, maxit = 1e8, type.measure = "deviance", grouped = TRUE)
  stopifnot(length(fit$lambda) == length(lambda))
  write(cbind(fit$lambda, fit$cvm, fit$cvsd), paste0(case$name, "_cv.csv"))
  write(c(fit$lambda.min, fit$lambda.1se), paste0(case$name, "_chosen.csv"))
  write(t(as.matrix(coef(fit$glmnet.fit))), paste0(case$name, "_coef.csv"))
}

# How glmnet reads weights, offsets, missing intercepts and penalty factors: one fit each, on the same small table.
X <- read("small_X.csv"); y <- drop(read("small_y.csv")); w <- drop(read("small_weight.csv")); o <- drop(read("small_offset.csv"))
factor <- drop(read("small_factor.csv"))
exact <- function(...) as.matrix(coef(glmnet(X, y, family = "gaussian", alpha = 0.4, lambda = c(0.5, 0.2), thresh = 1e-20, maxit = 1e8, ...)))[, 2]
write(rbind(exact(), exact(weights = w), exact(offset = o), exact(intercept = FALSE, standardize = FALSE),
            exact(penalty.factor = factor)), "small_coef.csv")
