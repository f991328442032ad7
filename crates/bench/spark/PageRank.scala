package firesteel.bench

import org.apache.spark.{HashPartitioner, SparkConf, SparkContext}

/** Iterates over a cached graph as Spark's example PageRank does. */
object PageRank {
  def main(args: Array[String]): Unit = {
    val parameters = new Parameters(args)
    val pages = parameters.number("pages")
    val degree = parameters.number("degree")
    val iterations = parameters.number("iterations")
    val partitioner = new HashPartitioner(parameters.partitions("partitions"))
    val sc = new SparkContext(new SparkConf().setAppName("page rank"))
    val links = sc.range(0, pages, 1, partitioner.numPartitions)
      .map(page => (page, Array.tabulate(degree.toInt)(link => SplitMix.mix(page * degree + link + 1) >>> 1).map(_ % pages)))
      .partitionBy(partitioner)
      .cache()
    links.count()
    Rounds.serve(parameters) {
      Rounds.seconds {
        var ranks = links.mapValues(_ => 1.0)
        for (_ <- 0L until iterations) {
          val contributions = links.join(ranks).values.flatMap { case (targets, rank) =>
            targets.iterator.map(target => (target, rank / targets.length))
          }
          ranks = contributions.reduceByKey(partitioner, _ + _).mapValues(0.15 + 0.85 * _)
        }
        val (count, sum) = ranks.map { case (_, rank) => (1L, rank) }
          .reduce((one, other) => (one._1 + other._1, one._2 + other._2))
        // Sums of fractions depend on the order, in digits that are not shown.
        f"$count pages, sum $sum%.2f"
      }
    }
    sc.stop()
  }
}
