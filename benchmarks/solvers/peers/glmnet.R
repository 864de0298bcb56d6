# glmnet: glmnet() and cv.glmnet(foldid =), called as worker.py calls the others (its protocol is described there).
#
# Scale: losses are means and lambda the referee's. A gaussian target has standard deviation 1 (1/n) on all rows, so glmnet's own
# division by it changes nothing there; in folds it moves the elastic net's and ridge's lambda by a per cent or so.
# type.gaussian is its default (covariance updates below 500 features). Early stops are off: every lambda is asked for.
# Joint predictors are type.multinomial = "grouped" and mgaussian. Gamma, Tweedie and negative binomial are family objects, as its vignette has
# them; MASS has the same theta. Their outer loop is R's, with a tolerance of its own, epsnr.
suppressPackageStartupMessages({library(glmnet); library(Matrix)})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]; out <- arguments[2]

read_npy <- function(name) {
  con <- file(file.path(folder, paste0(name, ".npy")), "rb"); on.exit(close(con))
  readBin(con, "raw", 8)
  header <- rawToChar(readBin(con, "raw", readBin(con, "integer", 1, size = 2, signed = FALSE, endian = "little")))
  type <- sub(".*'descr': *'([^']*)'.*", "\\1", header)
  shape <- as.numeric(regmatches(sub(".*'shape': *\\(([^)]*)\\).*", "\\1", header), gregexpr("[0-9]+", sub(".*'shape': *\\(([^)]*)\\).*", "\\1", header)))[[1]])
  size <- as.integer(sub(".*(.)$", "\\1", type)); count <- prod(shape)
  values <- if (grepl("f", type)) readBin(con, "double", count, size = size) else if (size == 4) readBin(con, "integer", count, size = 4) else {
    halves <- readBin(con, "integer", 2 * count, size = 4); halves[c(TRUE, FALSE)]  # small non-negative 64-bit integers
  }
  if (length(shape) < 2) return(values)
  if (grepl("'fortran_order': True", header)) matrix(values, shape[1], shape[2]) else matrix(values, shape[1], shape[2], byrow = TRUE)
}

write_npy <- function(name, values, type) {
  con <- file(file.path(out, paste0(name, ".npy")), "wb"); on.exit(close(con))
  header <- sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d,), }", type, length(values))
  header <- paste0(header, strrep(" ", (64 - (10 + nchar(header) + 1) %% 64) %% 64), "\n")
  writeBin(c(as.raw(0x93), charToRaw("NUMPY"), as.raw(c(1, 0))), con)
  writeBin(as.integer(nchar(header)), con, size = 2, endian = "little")
  writeBin(charToRaw(header), con)
  if (grepl("f", type)) writeBin(as.double(values), con) else writeBin(as.integer(values), con)
}

job <- readLines(file.path(folder, "job.json"), warn = FALSE)
field <- function(name) sub(sprintf('.*"%s": *"?([^",}]*)"?.*', name), "\\1", paste(job, collapse = " "))
family_name <- family <- field("family"); alpha <- as.numeric(field("l1_ratio")); problems <- as.integer(field("problems"))
n <- as.integer(field("n")); p <- as.integer(field("p"))
X <- if (field("sparse") == "true") new("dgCMatrix", i = as.integer(read_npy("X_indices")), p = as.integer(read_npy("X_indptr")), x = as.double(read_npy("X_data")), Dim = c(n, p)) else read_npy("X")
y <- read_npy("y"); lambdas <- read_npy("lambdas"); folds <- read_npy("folds") + 1L
rows <- n %/% problems
tables <- if (problems == 1) list(X) else lapply(seq_len(problems), function(k) X[((k - 1) * rows + 1):(k * rows), ])
penalty <- field("penalty"); joint <- field("joint") == "true"; K <- as.integer(field("predictors"))
refuse <- function(why) { cat("@refused ", why, "\n", sep = ""); quit(status = 0) }
if (penalty != "elastic_net") refuse(paste("no", penalty))
if (family == "multigaussian" && !joint) refuse("joint responses only")
if (family == "tweedie(power=1.5)" && !requireNamespace("statmod", quietly = TRUE)) refuse("needs R's statmod; apt-get install r-cran-statmod")
if (grepl("^(huber|quantile|squared_hinge|ordinal)", family)) refuse(paste("no", family))
type <- list()
if (family == "multinomial") { y <- factor(y); type <- list(type.multinomial = if (joint) "grouped" else "ungrouped") }
if (family == "cox") colnames(y) <- c("time", "status")
family <- switch(family, multigaussian = "mgaussian", gamma = Gamma(link = "log"), "negative_binomial(theta=2)" = MASS::negative.binomial(2, link = "log"), "tweedie(power=1.5)" = statmod::tweedie(1.5, link.power = 0), family)
targets <- if (problems == 1) list(y) else lapply(seq_len(problems), function(k) y[((k - 1) * rows + 1):(k * rows)])
invisible(glmnet.control(fdev = 0, devmax = 1))

options_for <- function(k, tol) c(type, list(x = tables[[k]], y = targets[[k]], family = family, alpha = alpha, lambda = lambdas[k, ], standardize = FALSE, thresh = tol, maxit = 1e8))

solve <- function(request, tol) {
  glmnet.control(epsnr = tol, mxitnr = 1000)
  start <- proc.time()
  kept <- lapply(seq_len(problems), function(k) {
    if (request == "path") do.call(glmnet, options_for(k, tol))
    else do.call(cv.glmnet, c(options_for(k, tol), list(foldid = folds, type.measure = "deviance")))
  })
  took <- proc.time() - start
  list(seconds = took[["elapsed"]], cpu = took[["user.self"]] + took[["sys.self"]], kept = kept)
}

interleaved <- function(betas) {  # K matrices (p, L) as one (p K, L), a feature's K rows one after the other
  rows <- nrow(betas[[1]])
  do.call(rbind, betas)[as.vector(t(matrix(seq_len(rows * K), rows, K))), , drop = FALSE]
}

store <- function(request, kept) {
  if (request == "cv") return(write_npy("curve", unlist(lapply(kept, function(fit) fit$cvm)), "<f8"))
  beta <- do.call(cbind, lapply(kept, function(fit) if (K == 1) fit$beta else interleaved(fit$beta)))
  if (ncol(beta) != length(lambdas)) stop(sprintf("glmnet ended its path after %d of %d lambdas", ncol(beta), length(lambdas)))
  write_npy("coef_data", beta@x, "<f8"); write_npy("coef_indices", beta@i, "<i4"); write_npy("coef_indptr", beta@p, "<i4")
  if (family_name == "cox") return(write_npy("intercept", numeric(ncol(beta)), "<f8"))
  write_npy("intercept", unlist(lapply(kept, function(fit) unname(fit$a0))), "<f8")  # of K predictors by lambda, K at a time
}

cat("@ready\n"); flush(stdout())
input <- file("stdin"); open(input)
while (length(line <- readLines(input, 1)) > 0) {
  asked <- strsplit(line, " ")[[1]]
  answer <- tryCatch({
    done <- suppressWarnings(solve(asked[1], as.numeric(asked[2])))
    store(asked[1], done$kept)
    sprintf("@done %.6f %.6f", done$seconds, done$cpu)
  }, error = function(e) paste("@error", gsub("\n", " ", conditionMessage(e))))
  cat(answer, "\n", sep = ""); flush(stdout())
}
