package firesteel.bench

import org.apache.spark.{SparkConf, SparkContext}

/** Estimates pi as Spark's example of this name does, with the RDD API alone, as an application of our kind would. */
object SparkPi {
  def main(args: Array[String]): Unit = {
    val sc = new SparkContext(new SparkConf().setAppName("Spark Pi"))
    val slices = if (args.length > 0) args(0).toInt else 2
    val n = math.min(100000L * slices, Int.MaxValue).toInt
    val count = sc.parallelize(1 until n, slices).map { _ =>
      val random = java.util.concurrent.ThreadLocalRandom.current()
      val x = random.nextDouble() * 2 - 1
      val y = random.nextDouble() * 2 - 1
      if (x * x + y * y <= 1) 1 else 0
    }.reduce(_ + _)
    println(s"Pi is roughly ${4.0 * count / (n - 1)}")
    sc.stop()
  }
}
